import { createServer } from 'node:net';
import type { Socket } from 'node:net';
import { AppError } from '../../src/base/app-error.ts';
import { jsonLog } from '../../src/base/log.ts';
import { parseObject } from '../../src/manager/store/entry-codec.ts';
import type { Identity } from '../../src/manager/store/identity.ts';
import { openStore } from '../../src/manager/store/open-store.ts';
import { wsPeers } from '../../src/manager/store/peer-link.ts';
import { clusterLimits } from '../../src/manager/store/store-limits.ts';
import { realClock } from '../../src/os/real-clock.ts';
import { realRandom } from '../../src/os/real-random.ts';

/**
 * One manager's store as a process, for chaos and benches: `node store-process.ts '{…}'`. Requests come on a UNIX socket (or TCP port), one JSON value a line:
 * `{"id":1,"put":{…object},"ifVersion":null|n}`, `{"id":2,"read":"key"}`, `{"id":3,"status":true}`, `{"id":4,"call":{…}}`, `{"id":5,"invite":"member"}`; answers carry the id.
 */
export type ProcessSetup = {
  readonly dir: string;
  readonly socket: string;
  readonly host: string;
  readonly port: number;
  readonly identity: Identity | null;
  readonly snapshotEntries: number;
  readonly isQuiet: boolean;
};

const setup: ProcessSetup = JSON.parse(process.argv[2] ?? '{}');
const log = jsonLog({ write: (line) => void process.stderr.write(line), nowMs: () => Date.now(), level: setup.isQuiet ? 'error' : 'info' });
const isAlone = setup.port === 0;
const store = await openStore({
  dir: setup.dir, clock: realClock, random: realRandom, log, limits: { ...clusterLimits, snapshotEntries: setup.snapshotEntries, segmentSizeBytes: 16 * 1024 * 1024 },
  address: isAlone ? '' : `${setup.host}:${setup.port}`, begin: setup.identity === null ? { kind: 'first' } : { kind: 'join', identity: setup.identity },
  connect: isAlone ? null : wsPeers({ listen: { host: setup.host, port: setup.port }, security: null, clock: realClock, log }), unlockKey: null, isSmall: false,
  onFatal: (error) => {
    process.stderr.write(`${JSON.stringify({ fatal: error.code, message: error.message })}\n`);
    process.exit(9);
  },
});

const server = createServer((socket) => {
  let rest = '';
  socket.setEncoding('utf8');
  socket.setNoDelay(true);
  let out: string[] = [];
  const reply = (text: string): void => {
    if (out.length === 0) setImmediate(() => {
      socket.write(out.join(''));
      out = [];
    });
    out.push(text);
  };
  socket.on('error', () => undefined);
  socket.on('data', (chunk: string) => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) handle(line, reply, socket);
  });
});

function handle(line: string, reply: (text: string) => void, socket: Socket): void {
  const request: { readonly id: number; readonly put?: unknown; readonly ifVersion?: number | null; readonly read?: string; readonly status?: true; readonly call?: never; readonly invite?: string } = JSON.parse(line);
  const answer = (value: unknown): void => reply(`${JSON.stringify({ id: request.id, ...Object(value) })}\n`);
  const fail = (error: unknown): void => answer({ error: error instanceof AppError ? error.code : 'UNKNOWN', message: String(error) });
  if (request.put !== undefined) store.propose([{ kind: 'put', object: parseObject(request.put), ifVersion: request.ifVersion ?? null }]).then((outcome) => answer({ outcome }), fail);
  else if (request.read !== undefined) {
    const key = request.read;
    store.read().then((view) => {
      const found = view.tables.config.get(key);
      answer({ value: found?.dataBase64 ?? null, version: found?.version ?? 0, revision: view.revision });
    }, fail);
  } else if (request.call !== undefined) store.changeMembers(request.call).then((members) => answer({ members }), fail);
  else if (request.invite !== undefined) answer({ identity: store.invite(request.invite) });
  else if (request.status === true) answer({ status: store.status(), raft: store.node.core.status(), metrics: store.metrics(), memory: process.memoryUsage().rss });
  else socket.destroy();
}

server.listen(setup.socket, () => process.stdout.write('ready\n'));
process.on('SIGTERM', () => void store.close().then(() => process.exit(0)));
