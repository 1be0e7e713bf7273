import type { WebSocket } from 'ws';
import type { Clock } from '../base/clock.ts';

export const pulseMs = 1000;

export type Pulse = { readonly clock: Clock; readonly everyMs: number; /** So many beats without a sign of life end the connection. */ readonly silentMax: number };

/**
 * Ends a connection whose other end is silent. Without it a cut of the network outlives itself: TCP tries again at ever longer
 * intervals, up to two minutes, and what is sent meanwhile waits in the dead connection. Beats are counted, not time: after a stall of the
 * own event loop one beat has passed, however long it was, and the sockets are read before the next.
 * Beats are heard here; what is answered is to be told of messages.
 */
export function endWhenSilent(socket: WebSocket, pulse: Pulse, isAsking: boolean): () => void {
  let silent = 0;
  let cancel = (): void => undefined;
  const heard = (): void => {
    silent = 0;
  };
  const beat = (): void => {
    if (silent >= pulse.silentMax) {
      socket.terminate();
      return;
    }
    silent += 1;
    if (isAsking) socket.ping();
    cancel = pulse.clock.after(pulse.everyMs, beat, true);
  };
  for (const sign of ['ping', 'pong'] as const) socket.on(sign, heard);
  socket.on('close', () => cancel());
  beat();
  return heard;
}
