import { connect } from 'node:net';
import { frameReader } from '../../../src/wire/frames.ts';
import type { Door } from './load.ts';
import { answerOfFrame, putFrame } from './store-frames.ts';

/** A connection to our API socket, switched to frames. Many writes may be under way; each knows its answer by its number. */
export function openOurDoor(path: string): Promise<Door> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    const waiting = new Map<number, (error: string | null) => void>();
    let next = 1;
    let out: Uint8Array[] = [];
    let take: ((chunk: Uint8Array) => boolean) | null = null;
    const door: Door = {
      put: (key, value, done) => {
        waiting.set(next, done);
        out.push(putFrame(next, key, value));
        next += 1;
      },
      flush: () => {
        if (out.length > 0) socket.write(out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out));
        out = [];
      },
      close: () => socket.destroy(),
    };
    socket.on('connect', () => socket.write('POST /v1/store/writes HTTP/1.1\r\nhost: daemon\r\nconnection: Upgrade\r\nupgrade: flotilla\r\n\r\n'));
    socket.on('data', (chunk) => {
      if (take === null) {
        if (!chunk.toString('latin1').startsWith('HTTP/1.1 101')) return reject(new Error(chunk.toString()));
        take = frameReader((frame) => {
          const { id, text } = answerOfFrame(frame.payload);
          const done = waiting.get(id);
          waiting.delete(id);
          done?.(text === 'ok' ? null : text);
        });
        return resolve(door);
      }
      take(chunk);
      door.flush();
    });
    socket.on('error', reject);
    socket.on('close', () => {
      for (const done of waiting.values()) done('LOST');
      waiting.clear();
    });
  });
}
