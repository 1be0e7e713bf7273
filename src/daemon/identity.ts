import { createHash } from 'node:crypto';
import { randomId } from '../base/ids.ts';
import type { Random } from '../base/random.ts';
import { readTextIfThere, writeFileDurable } from '../os/files.ts';

/** What tells this daemon's things in the kernel from another's: eight characters made from the data directory's path. */
export function instanceOf(rootDir: string): string {
  return createHash('sha256').update(rootDir).digest('hex').slice(0, 8);
}

/** The node's id, made once. */
export async function nodeIdOf(rootDir: string, random: Random): Promise<string> {
  const file = `${rootDir}/node-id`;
  const known = (await readTextIfThere(file))?.trim();
  if (known !== undefined && /^[0-9a-z]{25}$/.test(known)) return known;
  const made = randomId(random);
  await writeFileDurable(file, `${made}\n`);
  return made;
}
