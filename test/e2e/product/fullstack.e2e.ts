import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { eventually, home, makeWorld, type World } from './world.ts';

// The demo, as a user runs it: one file, from `up` to `down -v`.
let world: World;
let cwd: string;
// Any free one: other programs of the machine have ports too.
const port = await freePorts(1);
const url = `http://127.0.0.1:${port}`;

beforeAll(async () => {
  world = await makeWorld();
  cwd = join(world.dir, 'fullstack');
  cpSync(join(home, 'examples', 'fullstack'), cwd, { recursive: true });
  world.setEnv('WEB_PORT', String(port));
}, 120_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 120_000);

type Row = { readonly Name: string; readonly Service: string; readonly State: string; readonly Health: string; readonly ID: string; readonly ExitCode: number };

async function ps(): Promise<Row[]> {
  return (await world.ok(['compose', 'ps', '-a', '--format', 'json'], { cwd })).stdout.trim().split('\n').filter((line) => line !== '').map((line) => JSON.parse(line));
}

type Notes = { readonly title: string; readonly notes: readonly { readonly body: string; readonly words: number | null }[] };

async function notes(): Promise<Notes> {
  return (await (await fetch(`${url}/api/notes`)).json()) as Notes;
}

describe('the full-stack example', () => {
  test('`up -d --wait` brings everything up in the order of the conditions, and answers when it is healthy', async () => {
    const { stderr } = await world.ok(['compose', 'up', '-d', '--wait'], { cwd, timeoutMs: 180_000 });
    const at = (text: string): number => {
      const found = stderr.indexOf(text);
      expect(found, `${text} in\n${stderr}`).toBeGreaterThanOrEqual(0);
      return found;
    };
    expect(at('Container fullstack-db-1 Healthy')).toBeLessThan(at('Container fullstack-migrate-1 Starting'));
    expect(at('Container fullstack-migrate-1 Exited')).toBeLessThan(at('Container fullstack-api-1 Starting'));
    expect(at('Container fullstack-api-1 Healthy')).toBeLessThan(at('Container fullstack-web-1 Starting'));
    // Preparation runs ahead of the gates.
    expect(at('Container fullstack-web-1 Created')).toBeLessThan(at('Container fullstack-db-1 Healthy'));
    const states = Object.fromEntries((await ps()).map((row) => [row.Service, `${row.State}${row.Health === '' ? '' : ` ${row.Health}`}`]));
    expect(states).toEqual({ web: 'running healthy', api: 'running healthy', worker: 'running', migrate: 'exited', db: 'running healthy', cache: 'running healthy' });
  }, 200_000);

  test('the site answers on the published port, the API reaches database and cache, the worker works', async () => {
    expect(await (await fetch(url)).text()).toContain('<title>Notes</title>');
    const made = await fetch(`${url}/api/notes`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ body: 'three small words' }) });
    expect(made.status).toBe(201);
    const seen = await eventually(notes, (answer) => answer.notes[0]?.words === 3);
    expect(seen.title).toBe('Notes, counted');
  });

  test('the front does not know the database, and can not reach it', async () => {
    const address = (await world.ok(['compose', 'exec', '-T', 'api', 'getent', 'hosts', 'db'], { cwd })).stdout.split(/\s+/)[0] ?? '';
    expect((await world.run(['compose', 'exec', '-T', 'web', 'getent', 'hosts', 'db'], { cwd })).code).toBe(2);
    const reached = await world.run(['compose', 'exec', '-T', 'web', 'bash', '-c', `exec 3<>/dev/tcp/${address}/5432`], { cwd, timeoutMs: 5000 });
    expect(reached.code).not.toBe(0);
    expect((await world.run(['compose', 'exec', '-T', 'api', 'getent', 'hosts', 'backend'], { cwd })).code).toBe(0);
  });

  test('`up` with nothing to do changes nothing', async () => {
    const before = (await ps()).map((row) => row.ID);
    await world.ok(['compose', 'up', '-d'], { cwd });
    expect((await ps()).map((row) => row.ID)).toEqual(before);
  });

  test('the daemon is killed under load: no container stops, no request is lost, and a new daemon adopts all of them', async () => {
    const before = await ps();
    let isLoading = true;
    const codes: (number | string)[] = [];
    const load = (async () => {
      while (isLoading) codes.push(await fetch(`${url}/api/notes`, { signal: AbortSignal.timeout(5000) }).then((answer) => answer.status, (error: Error) => error.message));
    })();
    for (let round = 0; round < 3; round += 1) {
      await world.killDaemon();
      await eventually(() => codes.length, (count) => count > (round + 1) * 20);
      await world.ok(['info']);
    }
    isLoading = false;
    await load;
    expect(codes.filter((code) => code !== 200)).toEqual([]);
    const after = await ps();
    expect(after.map((row) => [row.ID, row.State])).toEqual(before.map((row) => [row.ID, row.State]));
    await eventually(ps, (rows) => rows.filter((row) => row.Health === 'healthy').length === 4);
  }, 60_000);

  test('a service is scaled up and down; its name answers with all of its containers', async () => {
    await world.ok(['compose', 'up', '-d', '--wait', '--scale', 'worker=3'], { cwd });
    expect((await ps()).filter((row) => row.Service === 'worker').map((row) => row.Name)).toEqual(['fullstack-worker-1', 'fullstack-worker-2', 'fullstack-worker-3']);
    const answers = await eventually(async () => (await world.ok(['compose', 'exec', '-T', 'api', 'getent', 'ahostsv4', 'worker'], { cwd })).stdout, (text) => new Set(text.trim().split('\n').map((line) => line.split(/\s+/)[0])).size === 3);
    expect(answers).not.toBe('');
    await world.ok(['compose', 'up', '-d', '--wait', '--scale', 'worker=1'], { cwd });
    expect((await ps()).filter((row) => row.Service === 'worker')).toHaveLength(1);
  }, 60_000);

  test('`restart` keeps the container, `stop` and `start` too', async () => {
    const idOf = async (service: string): Promise<Row | undefined> => (await ps()).find((row) => row.Service === service);
    const before = await idOf('worker');
    await world.ok(['compose', 'restart', 'worker'], { cwd });
    expect(await idOf('worker')).toMatchObject({ ID: before?.ID, State: 'running' });
    await world.ok(['compose', 'stop', 'worker'], { cwd });
    expect(await idOf('worker')).toMatchObject({ ID: before?.ID, State: 'exited' });
    await world.ok(['compose', 'start', 'worker'], { cwd });
    expect(await idOf('worker')).toMatchObject({ ID: before?.ID, State: 'running' });
  }, 60_000);

  test('a changed definition makes that service anew, and no other', async () => {
    const before = await ps();
    world.setEnv('TITLE', 'Another title');
    await world.ok(['compose', 'up', '-d', '--wait'], { cwd });
    const after = await ps();
    const changed = after.filter((row) => before.find((one) => one.Name === row.Name)?.ID !== row.ID).map((row) => row.Service);
    expect(changed).toEqual(['api']);
    expect((await eventually(notes, (answer) => answer.title === 'Another title')).notes).toHaveLength(1);
  }, 60_000);

  test('after a reboot it comes up again in the order of dependencies, with its data', async () => {
    await world.reboot();
    await world.ok(['info']);
    const rows = await eventually(ps, (list) => list.filter((row) => row.Health === 'healthy').length === 4, 60_000);
    const started = async (service: string): Promise<number> => Date.parse(JSON.parse((await world.ok(['inspect', rows.find((row) => row.Service === service)?.Name ?? ''])).stdout)[0].State.StartedAt);
    expect(await started('db')).toBeLessThan(await started('api'));
    expect(await started('api')).toBeLessThan(await started('web'));
    expect((await eventually(notes, (answer) => answer.notes.length > 0)).notes[0]?.body).toBe('three small words');
  }, 120_000);

  test('`down -v` leaves nothing', async () => {
    await world.ok(['compose', 'down', '-v'], { cwd });
    expect(await ps()).toEqual([]);
    expect(await world.leftovers()).toEqual([]);
  }, 60_000);
});
