import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { silentLog } from '../../../src/base/log.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import { clusterLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { realRandom } from '../../../src/os/real-random.ts';
import { median } from '../harness.ts';
import { pause } from './load.ts';
import { putFrame, putOfFrame } from './store-frames.ts';

/**
 * `node lone-write.ts DIR`: one durable write at a time, and the bare write and fdatasync of a file made as the log's, in turn. Prints the medians
 * of a process that has run for a while: the first rounds, whose code is not compiled yet, don't count.
 */
const dir = process.argv[2] ?? '';
const store = await openStore({
  dir: join(dir, 'store'), clock: realClock, random: realRandom, log: silentLog, limits: clusterLimits, address: '', begin: { kind: 'first' }, connect: null, unlockKey: null, isSmall: false,
  onFatal: (error) => {
    throw error;
  },
});
const { change } = putOfFrame(putFrame(1, 'lone', 'v'.repeat(256)).subarray(5));
const recordBytes = 672;
const file = openSync(join(dir, 'bare'), 'w+');
for (let at = 0; at < clusterLimits.segmentSizeBytes; at += 1 << 20) writeSync(file, new Uint8Array(1 << 20), 0, 1 << 20, at);
fdatasyncSync(file);
// The next segment is made ahead in the background: that is over by then.
await pause(2000);
const record = new Uint8Array(recordBytes).fill(7);
const warmRounds = 60;
const bareUs: number[] = [];
const oursUs: number[] = [];
let at = 0;
for (let round = 0; round < warmRounds + 60; round += 1) {
  if (round === warmRounds) bareUs.length = oursUs.length = 0;
  for (let count = 0; count < 25; count += 1) {
    const began = performance.now();
    writeSync(file, record, 0, recordBytes, at);
    fdatasyncSync(file);
    bareUs.push((performance.now() - began) * 1000);
    at += recordBytes;
  }
  for (let count = 0; count < 25; count += 1) {
    const began = performance.now();
    await store.propose([change]);
    oursUs.push((performance.now() - began) * 1000);
  }
}
closeSync(file);
await store.close();
process.stdout.write(`${JSON.stringify({ bareUs: median(bareUs), oursUs: median(oursUs) })}\n`);
