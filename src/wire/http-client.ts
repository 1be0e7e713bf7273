import { connect, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { AppError, type Place } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { isErrorCode } from '../base/error-codes.ts';
import { type HttpAnswer, readAnswer } from './http-response.ts';

/** Talks to a daemon over its UNIX socket: one connection a call, answers as values or as lines. */
export type ApiClient = {
  readonly call: (method: string, path: string, body?: unknown, signal?: AbortSignal) => Promise<unknown>;
  /** Yields each line of the answer; throws the error that the last line tells. */
  readonly lines: (method: string, path: string, body?: unknown, signal?: AbortSignal) => AsyncGenerator<unknown, void, undefined>;
  /** A raw connection after the daemon agreed to switch. It is paused: `resume` it once somebody listens. */
  readonly upgrade: (path: string) => Promise<{ readonly socket: Duplex; readonly head: Uint8Array }>;
};

export function createApiClient(options: { readonly socketPath: string }): ApiClient {
  const { socketPath } = options;
  return {
    call: async (method, path, body, signal) => {
      const { socket, answer } = await ask({ socketPath, method, path, body, signal });
      try {
        const value = parse(await readAll(answer));
        if (answer.status >= 400) throw errorFrom(value);
        return value;
      } catch (error) {
        throw reasonOf(error, signal);
      } finally {
        socket.destroy();
      }
    },
    lines: (method, path, body, signal) => readLines({ socketPath, method, path, body, signal }),
    upgrade: (path) => upgrade(socketPath, path),
  };
}

type Question = { readonly socketPath: string; readonly method: string; readonly path: string; readonly body?: unknown; readonly signal: AbortSignal | undefined; readonly headers?: string };

async function* readLines(question: Question): AsyncGenerator<unknown, void, undefined> {
  const { socket, answer } = await ask(question);
  try {
    if (answer.status >= 400) throw errorFrom(parse(await readAll(answer)));
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of answer.body()) {
      const lines = `${rest}${decoder.decode(chunk, { stream: true })}`.split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        if (line === '') continue;
        const value = parse(line);
        if (isRecord(value) && value['error'] !== undefined && Object.keys(value).length === 1) throw errorFrom(value);
        yield value;
      }
    }
  } catch (error) {
    throw reasonOf(error, question.signal);
  } finally {
    socket.destroy();
  }
}

/** One connection a question: the daemon learns by its end that the asker went away. */
async function ask(question: Question): Promise<{ readonly socket: Socket; readonly answer: HttpAnswer }> {
  const { socketPath, method, path, body, signal } = question;
  signal?.throwIfAborted();
  const text = body === undefined ? null : Buffer.from(JSON.stringify(body));
  const socket = connect(socketPath);
  const abort = (): void => void socket.destroy();
  signal?.addEventListener('abort', abort);
  socket.on('close', () => signal?.removeEventListener('abort', abort));
  try {
    await connected(socket);
    socket.write(`${method} ${path} HTTP/1.1\r\nhost: daemon\r\n${question.headers ?? 'connection: close\r\n'}${text === null ? '' : `content-type: application/json\r\ncontent-length: ${text.length}\r\n`}\r\n`);
    if (text !== null) socket.write(text);
    return { socket, answer: await readAnswer(socket, lost) };
  } catch (error) {
    socket.destroy();
    throw signal?.aborted === true ? signal.reason : unreachableDaemon(socketPath, error);
  }
}

function connected(socket: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.once('error', reject);
    socket.once('close', () => reject(lost()));
    socket.once('connect', () => {
      socket.off('error', reject);
      resolve();
    });
  });
}

async function upgrade(socketPath: string, path: string): Promise<{ socket: Duplex; head: Uint8Array }> {
  const { socket, answer } = await ask({ socketPath, method: 'POST', path, signal: undefined, headers: 'connection: Upgrade\r\nupgrade: flotilla\r\n' });
  if (answer.status === 101) return { socket, head: answer.takeRest() };
  try {
    throw errorFrom(parse(await readAll(answer)));
  } finally {
    socket.destroy();
  }
}

async function readAll(answer: HttpAnswer): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of answer.body()) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

/** A connection that was cut because the caller gave up fails with the caller's reason. */
function reasonOf(error: unknown, signal: AbortSignal | undefined): unknown {
  if (signal?.aborted === true) return signal.reason;
  return error instanceof AppError ? error : lost();
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new AppError({ code: 'WIRE_BAD_JSON', message: 'the daemon answered something that is not JSON', cause });
  }
}

function lost(): AppError {
  return new AppError({ code: 'WIRE_LOST', message: 'the daemon ended before its answer was complete', hint: 'what was committed goes on when it is back; run the command again to follow it' });
}

function unreachableDaemon(socketPath: string, cause: unknown): unknown {
  if (cause instanceof AppError) return cause;
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : String(cause);
  if (code === 'ECONNRESET' || code === 'EPIPE') return lost();
  if (code === 'EACCES' || code === 'EPERM') return new AppError({ code: 'WIRE_DENIED', message: `${socketPath} is for root and the group flotilla`, hint: 'sudo flotilla …', cause });
  return new AppError({ code: 'WIRE_NO_DAEMON', message: `no daemon answers at ${socketPath} (${code})`, hint: 'start it: `sudo systemctl start flotilla`, or `sudo flotilla daemon`', cause });
}

/** Rebuilds the AppError of an answer, so that callers match on its code as if it were thrown here. */
export function errorFrom(value: unknown): AppError {
  const error = isRecord(value) ? value['error'] : undefined;
  if (!isRecord(error)) return new AppError({ code: 'WIRE_BAD_JSON', message: 'the daemon failed without saying why' });
  const { code, message, hint, at, reasons } = error;
  return new AppError({
    code: typeof code === 'string' && isErrorCode(code) ? code : 'BASE_INTERNAL',
    message: typeof message === 'string' ? message : 'unknown failure',
    hint: typeof hint === 'string' ? hint : undefined,
    at: placeFrom(at),
    reasons: Array.isArray(reasons) ? reasons.flatMap(reasonFrom) : undefined,
  });
}

function reasonFrom(value: unknown): Diagnostic[] {
  if (!isRecord(value)) return [];
  const { severity, code, message, hint, path } = value;
  if (typeof code !== 'string' || !isErrorCode(code) || typeof message !== 'string') return [];
  return [{ severity: severity === 'warning' ? 'warning' : 'error', code, message, line: 0, column: 0, ...(typeof hint === 'string' ? { hint } : {}), ...(typeof path === 'string' ? { path } : {}) }];
}

function placeFrom(value: unknown): Place | undefined {
  if (!isRecord(value)) return undefined;
  if (value['kind'] === 'object' && typeof value['object'] === 'string') return { kind: 'object', object: value['object'] };
  const { file, line, column } = value;
  return typeof file === 'string' && typeof line === 'number' && typeof column === 'number' ? { kind: 'file', file, line, column } : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
