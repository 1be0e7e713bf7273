import { AppError } from '../../../src/base/app-error.ts';
import { silentLog } from '../../../src/base/log.ts';
import { get } from '../../../src/cluster/state/view.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import { laptopLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { realRandom } from '../../../src/os/real-random.ts';

/** Writes numbered objects into the store of a directory, eight at a time, for ever, and says each number when it is acknowledged and all before it are. */
const keyCount = 500;
const store = await openStore({
  dir: process.argv[2] ?? '', clock: realClock, random: realRandom, log: silentLog, limits: { ...laptopLimits, snapshotEntries: 300, segmentSizeBytes: 1024 * 1024 }, address: '', begin: { kind: 'first' },
  connect: null, unlockKey: null, isSmall: true, onFatal: () => process.exit(9),
});
if (!store.leadership().isLeader) await new Promise<void>((resolve) => store.onLeadership((leadership) => leadership.isLeader && resolve()));

/** The highest number such that it and all before it were written: each key holds the last number written to it. */
function highest(): number {
  const view = store.view();
  let number = 0;
  for (let key = 0; key < keyCount; key += 1) number = Math.max(number, Number(get(view, 'config', `k${key}`)?.name ?? 0));
  for (let back = 0; back < Math.min(keyCount, number); back += 1) {
    const found = Number(get(view, 'config', `k${(number - back) % keyCount}`)?.name ?? 0);
    if (found !== number - back) throw new Error(`${number} is there, but of k${(number - back) % keyCount} ${found}, not ${number - back}`);
  }
  return number;
}

const first = highest();
process.stdout.write(`start ${first}\n`);
const put = (number: number): Promise<unknown> =>
  store.propose([{
    kind: 'put', ifVersion: null,
    object: { kind: 'config', id: `k${number % keyCount}`, version: 0, createdMs: 0, updatedMs: 0, name: String(number), projectName: null, key: 'k', labels: {}, dataBase64: 'v'.repeat(20 + (number % 2000)), digest: '' },
  }]);
for (let number = first + 1; ; number += 8) {
  for (let left = Array.from({ length: 8 }, (_, at) => number + at); left.length > 0; ) {
    const answers = await Promise.allSettled(left.map(put));
    const refused = answers.find((one) => one.status === 'rejected');
    // NOTE: what is acknowledged is said only up to the first that is not.
    const done = answers.findIndex((one) => one.status === 'rejected');
    for (const one of done < 0 ? left : left.slice(0, done)) process.stdout.write(`ack ${one}\n`);
    left = done < 0 ? [] : left.slice(done);
    if (refused === undefined) continue;
    process.stdout.write(`no ${refused.reason instanceof AppError ? refused.reason.code : String(refused.reason)}\nalarms ${store.status().alarms.join(',')}\n`);
    await realClock.sleep(20);
  }
}
