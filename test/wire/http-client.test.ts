import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AppError } from '../../src/base/app-error.ts';
import { silentLog } from '../../src/base/log.ts';
import { createApiClient } from '../../src/wire/http-client.ts';
import { createApiServer } from '../../src/wire/http-server.ts';

let dir: string;
let socketPath: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-wire-'));
  socketPath = join(dir, 's');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Answers each connection with these portions, and then ends it or not. */
async function answering(portions: readonly string[], options: { readonly isEnded: boolean }): Promise<Server> {
  const server = createServer((connection: Socket) => {
    connection.on('error', () => undefined);
    connection.once('data', () => {
      connection.setNoDelay(true);
      const send = (index: number): void => {
        const portion = portions[index];
        if (portion === undefined) {
          if (options.isEnded) connection.end();
          return;
        }
        connection.write(portion, () => setImmediate(send, index + 1));
      };
      send(0);
    });
  });
  await new Promise<void>((resolve) => server.listen(socketPath, resolve));
  return server;
}

const collect = async (lines: AsyncIterable<unknown>): Promise<unknown[]> => {
  const all: unknown[] = [];
  for await (const line of lines) all.push(line);
  return all;
};
const codeOf = (work: Promise<unknown>): Promise<unknown> => work.then((value) => value, (error: unknown) => (error instanceof AppError ? error.code : error));

const chunk = (text: string): string => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
const chunked = `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunk('{"a":1}\n{"b":"ü"')}${chunk('}\n1')}${chunk('2\n')}0\r\n\r\n`;

describe('the answer of a daemon', () => {
  test('is the same however the network cuts it', async () => {
    for (const size of [1, 2, 3, 7, 1000]) {
      const portions = Array.from({ length: Math.ceil(chunked.length / size) }, (_, index) => chunked.slice(index * size, (index + 1) * size));
      const server = await answering(portions, { isEnded: false });
      expect(await collect(createApiClient({ socketPath }).lines('GET', '/'))).toEqual([{ a: 1 }, { b: 'ü' }, 12]);
      await new Promise((resolve) => server.close(resolve));
    }
  });

  test.for([
    ['before its head', 'HTTP/1.1 200'],
    ['in a chunk', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nff\r\n{"a'],
    ['between two chunks', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n1\n\r\n'],
    ['in a body of known length', 'HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n[1,'],
  ])('that ends %s is lost, not taken for whole', async ([, text]) => {
    const server = await answering([text ?? ''], { isEnded: true });
    expect(await codeOf(collect(createApiClient({ socketPath }).lines('GET', '/')))).toBe('WIRE_LOST');
    expect(await codeOf(createApiClient({ socketPath }).call('GET', '/'))).toBe('WIRE_LOST');
    server.close();
  });

  test('that is not HTTP is refused', async () => {
    const server = await answering(['SSH-2.0-x\r\n\r\n'], { isEnded: true });
    expect(await codeOf(createApiClient({ socketPath }).call('GET', '/'))).toBe('WIRE_BAD_JSON');
    server.close();
  });

  test('that is not there is told apart from one that was lost', async () => {
    expect(await codeOf(createApiClient({ socketPath }).call('GET', '/'))).toBe('WIRE_NO_DAEMON');
  });

  test('is no longer waited for when the asker gives up, and the reason is the asker’s', async () => {
    const server = await answering(['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n1\n\r\n'], { isEnded: false });
    const stop = new AbortController();
    const reason = new Error('enough');
    const lines = createApiClient({ socketPath }).lines('GET', '/', undefined, stop.signal);
    expect((await lines.next()).value).toBe(1);
    const next = lines.next();
    stop.abort(reason);
    await expect(next).rejects.toBe(reason);
    server.close();
  });
});

test('values, lines, refusals and a switched connection go through our own server', async () => {
  const server = createApiServer({
    log: silentLog,
    routes: [
      { method: 'POST', path: '/v1/echo/:name', handle: async ({ params, body, query }) => ({ kind: 'json', value: { params, body, q: query.get('q') } }) },
      { method: 'GET', path: '/v1/no', handle: async () => { throw new AppError({ code: 'BASE_LIMIT', message: 'too much', hint: 'less' }); } },
      { method: 'GET', path: '/v1/lines', handle: async () => ({ kind: 'lines', values: linesThatFail() }) },
    ],
    upgrades: [{ path: '/v1/switch', handle: async (_, socket) => { socket.write('HTTP/1.1 101 Switching\r\nconnection: Upgrade\r\nupgrade: flotilla\r\n\r\nhello'); socket.on('data', (chunk: Buffer) => socket.end(`you said ${chunk.toString()}`)); } }],
  });
  await server.listen({ path: socketPath });
  const client = createApiClient({ socketPath });
  const big = 'ß'.repeat(400_000);
  expect(await client.call('POST', '/v1/echo/a%20b?q=1', { big })).toEqual({ params: { name: 'a b' }, body: { big }, q: '1' });
  await expect(client.call('GET', '/v1/no')).rejects.toMatchObject({ code: 'BASE_LIMIT', hint: 'less' });
  expect(await codeOf(client.call('GET', '/v1/nowhere'))).toBe('WIRE_NO_ROUTE');
  const seen: unknown[] = [];
  await expect((async () => { for await (const line of client.lines('GET', '/v1/lines')) seen.push(line); })()).rejects.toMatchObject({ code: 'BASE_LIMIT' });
  expect(seen).toEqual([{ line: 1 }, { line: 2 }]);
  const { socket, head } = await client.upgrade('/v1/switch');
  let text = Buffer.from(head).toString();
  socket.on('data', (chunk: Buffer) => void (text += chunk.toString()));
  socket.resume();
  socket.write('x');
  await new Promise((resolve) => socket.once('end', resolve));
  expect(text).toBe('helloyou said x');
  expect(await codeOf(client.upgrade('/v1/other'))).toBe('WIRE_NO_ROUTE');
  await server.close();
});

async function* linesThatFail(): AsyncGenerator<unknown> {
  yield { line: 1 };
  yield { line: 2 };
  throw new AppError({ code: 'BASE_LIMIT', message: 'no more' });
}
