import { errorCodes } from '../src/base/error-codes.ts';

/** docs/errors.md, from the table of codes: a section a room, in the order in which rooms build on each other. */
export function errorsPage(): string {
  const rooms = new Map<string, string[]>();
  for (const [code, meaning] of Object.entries(errorCodes)) {
    const room = code.slice(0, code.indexOf('_')).toLowerCase();
    rooms.set(room, [...(rooms.get(room) ?? []), `| \`${code}\` | ${meaning} |`]);
  }
  return `# Error codes

Made by \`make docs\` from src/base/codes. Every failure prints one: \`error CODE: what happened, to what\`, where it can the place, and a
line that says what to do. Scripts should go by the code; texts may change, codes
keep their meaning. The API carries them too.

Exit codes: 0 done, 1 failed, 3 wrong usage, 4 the daemon can't be reached, 130 interrupted; \`exec\` and \`--exit-code-from\` answer the command's own.
${[...rooms].map(([room, rows]) => `\n## ${room}\n\n| code | what it means |\n|---|---|\n${rows.join('\n')}\n`).join('')}`;
}
