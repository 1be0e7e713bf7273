/** Starts three containers and dies by SIGKILL; with one alone, after its run came to the disk. */
import { openDiskKeeper } from '../../../src/os/disk-keeper.ts';
import { openTestEngine, realClock, specOf, stderrLog } from './setup.ts';

const [dataRoot = '', runRoot = '', cgroupParent = '', ...ids] = process.argv.slice(2);
const keepAlive = setInterval(() => undefined, 1000);
const disk = openDiskKeeper({ clock: realClock, log: stderrLog });
const engine = await openTestEngine({ dataRoot, runRoot, cgroupParent }, { disk });
const commands = [['sleep', '1000'], ['sh', '-c', 'echo before; sleep 0.7; echo after; exit 9'], ['sleep', '1000']];
for (const [index, id] of ids.entries()) {
  await engine.containers.create(id, specOf({ name: `adopt-${index}`, command: commands[index] ?? ['true'], healthcheck: index === 0 ? { test: { kind: 'exec', argv: ['true'] }, intervalMs: 50, timeoutMs: 5000, startPeriodMs: null, startIntervalMs: null, retries: 1 } : null }));
  // The third only waits: it is prepared ahead of its turn.
  if (index < 2) await engine.containers.start(id);
}
while (engine.containers.get(ids[0] ?? '')?.health !== 'healthy') await new Promise((resolve) => setTimeout(resolve, 5));
if (ids.length === 1) await disk.settle();
clearInterval(keepAlive);
process.kill(process.pid, 'SIGKILL');
