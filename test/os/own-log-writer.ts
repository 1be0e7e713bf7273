// Writes a log as the daemon does: `node own-log-writer.ts LINES FILE|-`, to standard error.
import { openOwnLog } from '../../src/os/own-log.ts';

const [lines = '0', file = '-'] = process.argv.slice(2);
const write = openOwnLog({ fd: 2, file: file === '-' ? null : file, bytesMax: 100_000, lost: (count) => `${JSON.stringify({ lost: count })}\n` });
for (let at = 0; at < Number(lines); at += 1) write(`${JSON.stringify({ at, text: 'x'.repeat(100) })}\n`);
process.stdout.write('alive');
