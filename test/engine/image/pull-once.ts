// Pulls one image and ends: the process that the crash test kills. Arguments: root, mirror, reference.
import process from 'node:process';
import { silentLog } from '../../../src/base/log.ts';
import { seededRandom } from '../../../src/base/random.ts';
import { openImages } from '../../../src/engine/image/open-images.ts';
import { realClock } from '../../../src/os/real-clock.ts';

const [, , root = '', mirror = '', reference = ''] = process.argv;
const images = await openImages({ root, registries: { mirrors: { 'docker.io': [mirror] }, insecure: [] }, credentials: async () => null, clock: realClock, random: seededRandom(process.pid), log: silentLog, usersOf: () => [], pinnedLayers: async () => new Set() });
process.send?.('open');
await images.pull({ reference, onProgress: (step) => void process.send?.(step.status) });
await images.close();
