import type { Duplex } from 'node:stream';
import { AppError } from '../../base/app-error.ts';
import type { Engine, ExecOptions, ExecSession } from '../../engine/engine.ts';
import { encodeFrame, frameReader, frameTypes } from '../../wire/frames.ts';
import type { UpgradeRoute } from '../../wire/http-server.ts';
import { asRecord, bad, stringList } from './request.ts';

/** Runs a command in a container over a connection of frames. `resolve` finds the container by name or id. */
export function execRoute(engine: Engine, resolve: (reference: string) => string): UpgradeRoute {
  return {
    path: '/v1/containers/:id/exec',
    handle: async ({ params, query, signal }, socket, head) => {
      const id = resolve(params['id'] ?? '');
      const { options, isDetached } = readOptions(query.get('options'));
      const session = await engine.containers.exec(id, isDetached ? options : { ...options, signal });
      socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: flotilla\r\n\r\n');
      if (isDetached) {
        await session.started();
        // What could not be run has ended by now, and is told; what runs is left to itself.
        const notRun = session.failure();
        finish(socket, notRun === null ? { exitCode: 0 } : { exitCode: await session.exitCode, error: notRun });
        session.exitCode.catch(() => undefined);
        return;
      }
      await connect(session, socket, head);
    },
  };
}

async function connect(session: ExecSession, socket: Duplex, head: Uint8Array): Promise<void> {
  const decoder = new TextDecoder();
  session.onOutput((stream, chunk) => void socket.write(encodeFrame(stream === 'stdout' ? frameTypes.stdout : frameTypes.stderr, chunk)));
  const read = frameReader(({ type, payload }) => {
    if (type === frameTypes.stdin) session.write(payload);
    else if (type === frameTypes.endInput) session.endInput();
    else if (type === frameTypes.signal) session.kill(decoder.decode(payload));
    else if (type === frameTypes.resize) resize(session, decoder.decode(payload));
  });
  read(head);
  socket.on('data', (chunk: Uint8Array) => void (read(chunk) || socket.destroy()));
  try {
    const exitCode = await session.exitCode;
    const failure = session.failure();
    finish(socket, failure === null ? { exitCode } : { exitCode, error: failure });
  } catch (error) {
    finish(socket, { error: error instanceof AppError ? error : { code: 'BASE_INTERNAL', message: String(error) } });
  }
}

function resize(session: ExecSession, text: string): void {
  try {
    const { columns, rows } = asRecord(JSON.parse(text), 'a size');
    if (typeof columns === 'number' && typeof rows === 'number') session.resize(columns, rows);
  } catch {
    // A size that can't be read leaves the terminal as it is.
  }
}

function finish(socket: Duplex, end: unknown): void {
  socket.end(encodeFrame(frameTypes.exit, new TextEncoder().encode(JSON.stringify(end))));
}

function readOptions(text: string | null): { options: ExecOptions; isDetached: boolean } {
  const given = asRecord(text === null ? null : parse(text), 'options');
  const argv = stringList(given['argv'], 'argv');
  if (argv.length === 0) throw bad('argv is empty');
  const environment = Object.fromEntries(Object.entries(asRecord(given['environment'] ?? {}, 'environment')).map(([name, value]) => [name, String(value)]));
  const optional = (name: string): string | null => (typeof given[name] === 'string' ? given[name] : null);
  return {
    isDetached: given['detach'] === true,
    options: { argv, environment, user: optional('user'), workingDir: optional('workingDir'), tty: given['tty'] === true, stdin: given['stdin'] === true, privileged: given['privileged'] === true },
  };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw bad('options is not JSON');
  }
}
