import { nearestWord } from '../base/nearest.ts';

/** `Did you mean \`x\`?` for the known word that is nearest, if one is near enough. */
export function suggestion(word: string, known: Iterable<string>): string | undefined {
  const near = nearestWord(word, known);
  return near === undefined ? undefined : `Did you mean \`${near}\`?`;
}
