import type { Change } from '../../../src/model/entry.ts';
import { encodeFrame } from '../../../src/wire/frames.ts';

/** A write: its number (u32), then JSON `[key, value]`. The answer: the number, then `ok` or the code of the refusal. */
export const storeFrames = { put: 16, answer: 17 } as const;

export function putFrame(id: number, key: string, value: string): Uint8Array {
  return numbered(storeFrames.put, id, JSON.stringify([key, value]));
}

/** The object is made here, as the daemon makes objects out of what commands say. */
export function putOfFrame(payload: Uint8Array): { readonly id: number; readonly change: Change } {
  const [key, value]: readonly [string, string] = JSON.parse(textOf(payload));
  return {
    id: numberOf(payload),
    change: { kind: 'put', ifVersion: null, object: { kind: 'config', id: key, version: 0, createdMs: 0, updatedMs: 0, name: key, projectName: null, key, labels: {}, dataBase64: value, digest: '' } },
  };
}

export function answerFrame(id: number, text: string): Uint8Array {
  return numbered(storeFrames.answer, id, text);
}

export function answerOfFrame(payload: Uint8Array): { readonly id: number; readonly text: string } {
  return { id: numberOf(payload), text: textOf(payload) };
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('utf8', 4);
}

function numberOf(payload: Uint8Array): number {
  return new DataView(payload.buffer, payload.byteOffset).getUint32(0);
}

function numbered(type: number, id: number, text: string): Uint8Array {
  const payload = Buffer.allocUnsafe(4 + Buffer.byteLength(text));
  payload.writeUInt32BE(id, 0);
  payload.write(text, 4);
  return encodeFrame(type, payload);
}
