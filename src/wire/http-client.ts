import { request as httpRequest, type ClientRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError, type Place } from '../base/app-error.ts';
import type { Diagnostic } from '../base/diagnostic.ts';
import { isErrorCode } from '../base/error-codes.ts';

/** Talks to a daemon over its UNIX socket: one connection a call, answers as values or as lines. */
export type ApiClient = {
  readonly call: (method: string, path: string, body?: unknown, signal?: AbortSignal) => Promise<unknown>;
  /** Yields each line of the answer; throws the error that the last line tells. */
  readonly lines: (method: string, path: string, body?: unknown, signal?: AbortSignal) => AsyncGenerator<unknown, void, undefined>;
  /** A raw connection after the daemon agreed to switch. */
  readonly upgrade: (path: string) => Promise<{ readonly socket: Duplex; readonly head: Uint8Array }>;
};

export function createApiClient(options: { readonly socketPath: string }): ApiClient {
  return {
    call: async (method, path, body, signal) => {
      const response = await send(options.socketPath, method, path, body, signal);
      const value = parse(await readAll(response));
      if ((response.statusCode ?? 500) >= 400) throw errorFrom(value);
      return value;
    },
    lines: (method, path, body, signal) => readLines(options.socketPath, method, path, body, signal),
    upgrade: (path) => upgrade(options.socketPath, path),
  };
}

async function* readLines(socketPath: string, method: string, path: string, body: unknown, signal: AbortSignal | undefined): AsyncGenerator<unknown, void, undefined> {
  const response = await send(socketPath, method, path, body, signal);
  if ((response.statusCode ?? 500) >= 400) throw errorFrom(parse(await readAll(response)));
  response.setEncoding('utf8');
  let rest = '';
  for await (const chunk of chunksOf(response, signal)) {
    rest += chunk;
    const lines = rest.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (line === '') continue;
      const value = parse(line);
      if (isRecord(value) && value['error'] !== undefined && Object.keys(value).length === 1) throw errorFrom(value);
      yield value;
    }
  }
  if (!response.complete) throw lost();
}

/** A connection that breaks is the daemon's end, unless the caller broke it. */
async function* chunksOf(response: IncomingMessage, signal: AbortSignal | undefined): AsyncGenerator<string, void, undefined> {
  try {
    for await (const chunk of response) yield String(chunk);
  } catch (error) {
    if (signal?.aborted === true) throw signal.reason;
    throw isBroken(error) ? lost() : error;
  }
}

function isBroken(error: unknown): boolean {
  return error instanceof Error && 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE' || error.code === 'ERR_STREAM_PREMATURE_CLOSE');
}

function send(socketPath: string, method: string, path: string, body: unknown, signal: AbortSignal | undefined): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const text = body === undefined ? undefined : JSON.stringify(body);
    const request: ClientRequest = httpRequest({
      socketPath, method, path, agent: false, ...(signal === undefined ? {} : { signal }),
      headers: { host: 'daemon', ...(text === undefined ? {} : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) }) },
    });
    request.on('response', resolve);
    request.on('error', (error) => reject(signal?.aborted === true ? signal.reason : unreachableDaemon(socketPath, error)));
    request.end(text);
  });
}

function upgrade(socketPath: string, path: string): Promise<{ socket: Duplex; head: Uint8Array }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ socketPath, method: 'POST', path, agent: false, headers: { host: 'daemon', connection: 'Upgrade', upgrade: 'flotilla' } });
    request.on('upgrade', (_response, socket, head) => resolve({ socket, head }));
    request.on('response', (response) => void readAll(response).then((text) => reject(errorFrom(parse(text))), reject));
    request.on('error', (error) => reject(unreachableDaemon(socketPath, error)));
    request.end();
  });
}

async function readAll(response: IncomingMessage): Promise<string> {
  response.setEncoding('utf8');
  let text = '';
  try {
    for await (const chunk of response) text += String(chunk);
  } catch {
    throw lost();
  }
  return text;
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

function unreachableDaemon(socketPath: string, cause: Error & { readonly code?: string }): AppError {
  const reset = cause.code === 'ECONNRESET' || cause.code === 'EPIPE';
  if (reset) return lost();
  return new AppError({ code: 'WIRE_NO_DAEMON', message: `no daemon answers at ${socketPath} (${cause.code ?? cause.message})`, hint: 'start it: `sudo systemctl start flotilla`, or `sudo flotilla daemon`', cause });
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
