/** A source of randomness that can be injected: floats in [0,1) and bytes. */
export type Random = {
  readonly float: () => number;
  readonly bytes: (count: number) => Uint8Array;
};

/** A small seeded generator (sfc32 seeded by splitmix32): the same seed gives the same sequence on every machine. */
export function seededRandom(seed: number): Random {
  let s = seed >>> 0;
  const mix = (): number => {
    s = (s + 0x9e3779b9) >>> 0;
    let z = s;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  let a = mix();
  let b = mix();
  let c = mix();
  let d = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i += 1) next();
  return {
    float: () => next() / 4294967296,
    bytes: (count) => Uint8Array.from({ length: count }, () => next() & 0xff),
  };
}

/** A whole number in [0, bound). */
export function randomBelow(random: Random, bound: number): number {
  return Math.floor(random.float() * bound);
}
