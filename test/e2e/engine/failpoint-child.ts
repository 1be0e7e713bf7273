/** Lives a container's whole life and dies by SIGKILL at the failpoint it is told, the n-th time it gets there. */
import { failpointNames } from '../../../src/engine/container/failpoint.ts';
import { newId, openTestEngine, specOf } from './setup.ts';
import type { TestRoots } from './setup.ts';

const [dataRoot = '', runRoot = '', cgroupParent = '', wanted = '', nth = '1'] = process.argv.slice(2);
const roots: TestRoots = { dataRoot, runRoot, cgroupParent };
let left = Number(nth);
const keepAlive = setInterval(() => undefined, 1000);

const engine = await openTestEngine(roots, {
  image: { volumes: ['/image-volume'] },
  failpoint: (name) => {
    if (name !== wanted || (left -= 1) > 0) return;
    process.kill(process.pid, 'SIGKILL');
  },
});
if (!failpointNames.some((one) => one === wanted)) throw new Error(`no failpoint ${wanted}`);
const id = newId();
const files = [{ target: '/run/secrets/key', content: Buffer.from('secret'), uid: 0, gid: 0, mode: 0o400, isSecret: true, readOnly: true }];
await engine.containers.create(id, specOf({ files, mounts: [{ kind: 'volume', volumeName: '', target: '/data', readOnly: false, noCopy: false, subpath: null }] }));
await engine.containers.start(id);
await engine.containers.stop(id, { graceMs: 0 });
await engine.containers.start(id);
await engine.containers.remove(id, { force: true, volumes: true });
clearInterval(keepAlive);
engine.containers.close();
// Getting here means that the failpoint was never reached.
process.exit(3);
