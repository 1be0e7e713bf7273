import type { Random } from './random.ts';

const alphabet = '0123456789abcdefghijklmnopqrstuvwxyz';

/** 25 characters of base 36, as Swarm's object ids: 129 bits, so two never meet. */
export function randomId(random: Random): string {
  let text = '';
  while (text.length < 25) {
    for (const byte of random.bytes(32)) {
      // NOTE: 252 is the largest multiple of 36 below 256; higher bytes would favour the first characters.
      if (byte < 252 && text.length < 25) text += alphabet[byte % 36];
    }
  }
  return text;
}

/** 64 hexadecimal characters, as Docker's container ids. */
export function randomHexId(random: Random): string {
  return Array.from(random.bytes(32), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
