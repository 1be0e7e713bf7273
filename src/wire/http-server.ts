import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { AppError } from '../base/app-error.ts';
import { limits } from '../base/limits.ts';
import type { Log } from '../base/log.ts';

/** `:name` in a path takes one segment. Handlers answer a JSON value, or write a stream through `reply`. */
export type Route = {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'PUT';
  readonly path: string;
  readonly handle: (request: ApiRequest) => Promise<ApiReply>;
};

/** A route that takes the connection over after its head was read (exec, attach). */
export type UpgradeRoute = { readonly path: string; readonly handle: (request: ApiRequest, socket: Duplex, head: Uint8Array) => Promise<void> };

export type ApiRequest = {
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** The parsed JSON body; undefined where there is none. */
  readonly body: unknown;
  /** Aborted when the client goes away. */
  readonly signal: AbortSignal;
};

export type ApiReply =
  | { readonly kind: 'json'; readonly value: unknown; readonly status?: number }
  /** One JSON value a line, as they come; an error becomes a last line `{"error": …}`. */
  | { readonly kind: 'lines'; readonly values: AsyncIterable<unknown> };

export type ApiServer = { readonly listen: (target: { readonly fd?: number; readonly path?: string }) => Promise<void>; readonly close: () => Promise<void> };

export function createApiServer(options: { readonly routes: readonly Route[]; readonly upgrades: readonly UpgradeRoute[]; readonly log: Log }): ApiServer {
  const routes = options.routes.map((route) => ({ route, match: pathMatcher(route.path) }));
  const upgrades = options.upgrades.map((route) => ({ route, match: pathMatcher(route.path) }));
  const server = createServer({ keepAliveTimeout: 30_000, requestTimeout: 0 }, (request, response) => {
    void answer(request, response, routes, options.log);
  });
  server.on('upgrade', (request, socket, head) => void upgrade(request, socket, head, upgrades, options.log));
  return { listen: (target) => listen(server, target), close: () => close(server) };
}

type Matched<R> = { readonly route: R; readonly match: (path: string) => Record<string, string> | null };

async function answer(request: IncomingMessage, response: ServerResponse, routes: readonly Matched<Route>[], log: Log): Promise<void> {
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  try {
    const url = urlOf(request);
    const found = find(routes.filter((one) => one.route.method === request.method), url.pathname);
    if (found === null) {
      throw new AppError({ code: 'WIRE_NO_ROUTE', message: `the daemon has nothing at ${request.method ?? ''} ${url.pathname}`, hint: 'the command and the daemon may be of different versions: `flotilla version` shows both' });
    }
    const body = await readJson(request);
    const reply = await found.route.handle({ params: found.params, query: url.searchParams, body, signal: gone.signal });
    if (reply.kind === 'json') sendJson(response, reply.status ?? 200, reply.value);
    else await sendLines(response, reply.values, log);
  } catch (error) {
    sendFailure(response, error, log);
  }
}

async function sendLines(response: ServerResponse, values: AsyncIterable<unknown>, log: Log): Promise<void> {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' });
  response.flushHeaders();
  try {
    for await (const value of values) {
      if (response.destroyed) return;
      if (!response.write(`${JSON.stringify(value)}\n`)) await drained(response);
    }
  } catch (error) {
    if (!response.destroyed) response.write(`${JSON.stringify({ error: failureOf(error, log) })}\n`);
  }
  response.end();
}

function drained(response: ServerResponse): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      response.off('drain', done);
      response.off('close', done);
      resolve();
    };
    response.on('drain', done);
    response.on('close', done);
  });
}

async function upgrade(request: IncomingMessage, socket: Duplex, head: Uint8Array, routes: readonly Matched<UpgradeRoute>[], log: Log): Promise<void> {
  const gone = new AbortController();
  socket.on('close', () => gone.abort());
  socket.on('error', () => gone.abort());
  try {
    const url = urlOf(request);
    const found = find(routes, url.pathname);
    if (found === null) throw new AppError({ code: 'WIRE_NO_ROUTE', message: `the daemon has nothing at ${url.pathname}` });
    await found.route.handle({ params: found.params, query: url.searchParams, body: undefined, signal: gone.signal }, socket, head);
  } catch (error) {
    const text = JSON.stringify({ error: failureOf(error, log) });
    socket.end(`HTTP/1.1 ${statusOf(error)} Error\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`);
  }
}

/** Errors: WIRE_NO_ROUTE where the target is no path at all (`//`). */
function urlOf(request: IncomingMessage): URL {
  const url = URL.parse(request.url ?? '/', 'http://daemon');
  if (url === null) throw new AppError({ code: 'WIRE_NO_ROUTE', message: `the daemon has nothing at ${JSON.stringify(request.url)}` });
  return url;
}

function find<R>(routes: readonly Matched<R>[], path: string): { route: R; params: Record<string, string> } | null {
  for (const { route, match } of routes) {
    const params = match(path);
    if (params !== null) return { route, params };
  }
  return null;
}

function pathMatcher(pattern: string): (path: string) => Record<string, string> | null {
  const parts = pattern.split('/');
  return (path) => {
    const given = path.split('/');
    if (given.length !== parts.length) return null;
    const params: Record<string, string> = {};
    for (const [index, part] of parts.entries()) {
      const text = given[index] ?? '';
      if (part.startsWith(':')) {
        const value = decode(text);
        if (value === null || value === '') return null;
        params[part.slice(1)] = value;
      } else if (part !== text) return null;
    }
    return params;
  };
}

function decode(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const chunk of request) {
    if (!(chunk instanceof Uint8Array)) continue;
    sizeBytes += chunk.length;
    if (sizeBytes > limits.requestBytesMax) throw new AppError({ code: 'WIRE_BODY_TOO_LARGE', message: `the request is larger than ${limits.requestBytesMax} bytes` });
    chunks.push(chunk);
  }
  if (sizeBytes === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (cause) {
    throw new AppError({ code: 'WIRE_BAD_JSON', message: 'the request is not JSON', cause });
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const text = JSON.stringify(value ?? null);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) });
  response.end(text);
}

function sendFailure(response: ServerResponse, error: unknown, log: Log): void {
  const failure = failureOf(error, log);
  if (!response.headersSent) sendJson(response, statusOf(error), { error: failure });
  else response.end();
}

/** What the client is told. What is not an AppError is a defect: its text stays in the daemon's log. */
function failureOf(error: unknown, log: Log): unknown {
  if (error instanceof AppError) return error;
  log.error('wire.unexpected', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  return new AppError({ code: 'BASE_INTERNAL', message: 'the daemon met a defect of its own', hint: 'its log has the details: `journalctl -u flotilla`, or daemon.log in the data directory' });
}

function statusOf(error: unknown): number {
  if (!(error instanceof AppError)) return 500;
  if (error.code === 'WIRE_NO_ROUTE' || error.code.endsWith('_NOT_FOUND')) return 404;
  if (error.code === 'BASE_INTERNAL') return 500;
  return 400;
}

function listen(server: Server, target: { readonly fd?: number; readonly path?: string }): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(target.fd === undefined ? { path: target.path } : { fd: target.fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
