import { mkdtempSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { silentLog } from '../../src/base/log.ts';
import { type ApiServer, createApiServer } from '../../src/wire/http-server.ts';

const dir = mkdtempSync(join(tmpdir(), 'flotilla-http-'));
const path = join(dir, 'api.sock');
let server: ApiServer;

beforeAll(async () => {
  server = createApiServer({ log: silentLog, upgrades: [], routes: [{ method: 'POST', path: '/v1/echo/:name', handle: async ({ params, body }) => ({ kind: 'json', value: { params, body } }) }] });
  await server.listen({ path });
});
afterAll(async () => {
  await server.close();
  rmSync(dir, { recursive: true });
});

/** The status line's number and the body of the answer to these very bytes. */
function ask(text: string): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(path, () => socket.write(text));
    let answer = '';
    socket.on('data', (chunk) => void (answer += chunk.toString()));
    socket.on('close', () => resolve({ status: Number(answer.split(' ')[1]), body: answer.slice(answer.indexOf('\r\n\r\n') + 4) }));
    socket.on('error', reject);
  });
}

const head = 'host: x\r\nconnection: close\r\n';

describe('a request that is none', () => {
  test.for<[name: string, request: string, status: number]>([
    ['two slashes are no path', `GET // HTTP/1.1\r\n${head}\r\n`, 404],
    ['a host without a name is no path', `GET http:// HTTP/1.1\r\n${head}\r\n`, 404],
    ['a percent sign without its digits names nothing', `POST /v1/echo/% HTTP/1.1\r\n${head}content-length: 0\r\n\r\n`, 404],
    ['dots lead to what they name and no further', `POST /../../v1/x/%2e%2e/echo/a HTTP/1.1\r\n${head}content-length: 0\r\n\r\n`, 200],
    ['an encoded slash stays in its segment', `POST /v1/echo/..%2fetc HTTP/1.1\r\n${head}content-length: 0\r\n\r\n`, 200],
    ['a body that is no JSON', `POST /v1/echo/a HTTP/1.1\r\n${head}content-length: 1\r\n\r\n{`, 400],
    ['a body that opens a hundred thousand lists', `POST /v1/echo/a HTTP/1.1\r\n${head}content-length: 100000\r\n\r\n${'['.repeat(100_000)}`, 400],
  ])('%s', async ([, request, status]) => {
    expect((await ask(request)).status).toBe(status);
  });

  test('a name of the prototype is a name like any other', async () => {
    const body = '{"__proto__":{"isAdmin":true}}';
    const answer = await ask(`POST /v1/echo/__proto__ HTTP/1.1\r\n${head}content-length: ${body.length}\r\n\r\n${body}`);
    expect(answer.status).toBe(200);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });
});
