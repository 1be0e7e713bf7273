import type { Duplex } from 'node:stream';
import { AppError } from '../../../src/base/app-error.ts';
import { jsonLog } from '../../../src/base/log.ts';
import type { Identity } from '../../../src/manager/store/identity.ts';
import { openStore } from '../../../src/manager/store/open-store.ts';
import { wsPeers } from '../../../src/manager/store/peer-link.ts';
import { clusterLimits } from '../../../src/manager/store/store-limits.ts';
import { realClock } from '../../../src/os/real-clock.ts';
import { realRandom } from '../../../src/os/real-random.ts';
import { frameReader } from '../../../src/wire/frames.ts';
import { createApiServer } from '../../../src/wire/http-server.ts';
import { answerFrame, putOfFrame, storeFrames } from './store-frames.ts';

/**
 * One manager's store as a process with the daemon's API server in front: `node member-process.ts '{…}'`.
 * Writes come on a connection that was upgraded as `exec`'s is, as frames; the rest is JSON.
 */
export type MemberSetup = { readonly dir: string; readonly socket: string; readonly peerPort: number | null; readonly identity: Identity | null };

const setup: MemberSetup = JSON.parse(process.argv[2] ?? '{}');
const log = jsonLog({ write: (line) => void process.stderr.write(line), nowMs: () => Date.now(), level: 'error' });
const host = '127.0.0.1';
const store = await openStore({
  dir: setup.dir, clock: realClock, random: realRandom, log, limits: clusterLimits, address: setup.peerPort === null ? '' : `${host}:${setup.peerPort}`,
  begin: setup.identity === null ? { kind: 'first' } : { kind: 'join', identity: setup.identity },
  connect: setup.peerPort === null ? null : wsPeers({ listen: { host, port: setup.peerPort }, security: null, clock: realClock, log }), unlockKey: null, isSmall: false,
  onFatal: (error) => {
    process.stderr.write(`${error.code}: ${error.message}\n`);
    process.exit(9);
  },
});

function serve(socket: Duplex, head: Uint8Array): void {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: flotilla\r\n\r\n');
  let out: Uint8Array[] = [];
  const reply = (frame: Uint8Array): void => {
    // NOTE: what one commit answers leaves in one write.
    if (out.length === 0) process.nextTick(() => {
      socket.write(out.length === 1 && out[0] !== undefined ? out[0] : Buffer.concat(out));
      out = [];
    });
    out.push(frame);
  };
  const take = frameReader((frame) => {
    if (frame.type !== storeFrames.put) {
      socket.destroy();
      return;
    }
    const { id, change } = putOfFrame(frame.payload);
    store.propose([change]).then(
      (outcome) => reply(answerFrame(id, outcome.kind === 'applied' ? 'ok' : outcome.kind)),
      (error: unknown) => reply(answerFrame(id, error instanceof AppError ? error.code : String(error))),
    );
  });
  socket.on('data', (chunk: Uint8Array) => void (take(chunk) || socket.destroy()));
  if (head.length > 0) take(head);
}

const server = createApiServer({
  log,
  routes: [
    { method: 'GET', path: '/v1/store/status', handle: async () => ({ kind: 'json', value: { ...store.status(), metrics: store.metrics(), rssBytes: process.memoryUsage.rss() } }) },
    {
      method: 'POST', path: '/v1/store/join/:member/:port',
      handle: async ({ params }) => {
        const memberId = params['member'] ?? '';
        await store.changeMembers({ kind: 'join', memberId, address: `${host}:${params['port'] ?? ''}`, featureLevel: 1 });
        return { kind: 'json', value: store.invite(memberId) };
      },
    },
    {
      // Holds the event loop, as a long computation in the daemon would.
      method: 'POST', path: '/v1/stall/:ms',
      handle: async ({ params }) => {
        const end = performance.now() + Number(params['ms']);
        while (performance.now() < end) Math.sqrt(end);
        return { kind: 'json', value: {} };
      },
    },
  ],
  upgrades: [{ path: '/v1/store/writes', handle: async (_request, socket, head) => serve(socket, head) }],
});
await server.listen({ path: setup.socket });
process.stdout.write('ready\n');
process.on('SIGTERM', () => void store.close().then(() => process.exit(0)));
