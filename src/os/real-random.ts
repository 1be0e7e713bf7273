import { randomBytes } from 'node:crypto';
import type { Random } from '../base/random.ts';

/** The kernel's randomness. */
export const realRandom: Random = {
  float: () => randomBytes(6).readUIntBE(0, 6) / 2 ** 48,
  bytes: (count) => new Uint8Array(randomBytes(count)),
};
