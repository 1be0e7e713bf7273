import { nearestWord } from '../base/nearest.ts';

/** In a file with more names than that, a suggestion is not worth its time. */
const knownMax = 1_000;

/** `Did you mean \`x\`?` for the known word that is nearest, if one is near enough. */
export function suggestion(word: string, known: readonly string[]): string | undefined {
  const near = nearestWord(word, known.slice(0, knownMax));
  return near === undefined ? undefined : `Did you mean \`${near}\`?`;
}
