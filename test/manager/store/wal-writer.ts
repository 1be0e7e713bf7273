import { randomBytes } from 'node:crypto';
import { encodeItems } from '../../../src/manager/store/log-items.ts';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import { Wal } from '../../../src/manager/store/wal.ts';
import { realDisk } from '../../../src/os/disk.ts';

/** Appends entries from a number on, for ever, and says each number when it is durable. */
const [dir = '', first = '1'] = process.argv.slice(2);
const { wal } = Wal.open({ disk: realDisk, dir, clusterId: 'c', memberId: 'm', segmentSizeBytes: 64 * 1024, keys: plainKeys, randomBytes });
for (let index = Number(first); ; index += 1) {
  wal.append(encodeItems([{ kind: 'entries', entries: [{ index, term: 1, kind: 0, data: new TextEncoder().encode(`entry ${index} `.padEnd(100 + (index % 900), '.')) }] }]));
  process.stdout.write(`${index}\n`);
}
