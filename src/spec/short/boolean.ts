import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

/** Reads a boolean that came out of a variable. `isOldStyle` marks the words of YAML 1.1, which deserve a warning. */
export function parseBoolean(text: string): Parsed<{ readonly value: boolean; readonly isOldStyle: boolean }> {
  const word = text.toLowerCase();
  if (word === 'true' || word === 'false') return parsed({ value: word === 'true', isOldStyle: false });
  if (['y', 'yes', 'on'].includes(word)) return parsed({ value: true, isOldStyle: true });
  if (['n', 'no', 'off'].includes(word)) return parsed({ value: false, isOldStyle: true });
  return refused(`invalid boolean '${text}'`);
}
