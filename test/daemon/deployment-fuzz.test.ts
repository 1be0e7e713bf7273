import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { Agent } from '../../src/agent/agent.ts';
import { isAppError } from '../../src/base/app-error.ts';
import type { Log } from '../../src/base/log.ts';
import { randomBelow, seededRandom, type Random } from '../../src/base/random.ts';
import { allOf } from '../../src/cluster/state/view.ts';
import { projectRoutes } from '../../src/daemon/api/projects.ts';
import { summarize } from '../../src/daemon/summaries.ts';
import { createManager } from '../../src/manager/manager.ts';
import { parseObject } from '../../src/manager/store/entry-codec.ts';
import { objectKinds } from '../../src/model/objects.ts';
import { realClock } from '../../src/os/real-clock.ts';
import type { Route } from '../../src/wire/http-server.ts';
import { memorySession } from '../../src/wire/session.ts';
import { node, plainOptions } from '../cluster/world.ts';
import { fakeEngine } from '../fakes/fake-engine.ts';
import { createFakeNet } from '../fakes/fake-net.ts';
import { memoryStore } from '../fakes/memory-store.ts';
import { loadFiles } from '../spec/load-files.ts';

// Deployments of an API client that is broken or hostile (issue 2, bad input): refused with a code, or carried out; never a defect of
// the daemon's, and never in the store where it would break whoever reads it: planner, agent, network, `ps`.
const folders: string[] = [];
afterAll(() => folders.forEach((folder) => rmSync(folder, { recursive: true, force: true })));

const application = `
name: shop
services:
  web:
    image: busybox
    command: [sleep, infinity]
    ports: ["8080:80", "9000-9010:81/udp", {target: 90, host_ip: 127.0.0.1, published: "90"}]
    networks: {front: {ipv4_address: 10.91.0.9, aliases: [www], priority: 3, interface_name: lan0, mac_address: "02:42:00:00:00:09"}, back: {gw_priority: 1}}
    depends_on: {db: {condition: service_started}, job: {condition: service_completed_successfully, required: false}}
    environment: {A: b, EMPTY: }
    labels: {a: b}
    healthcheck: {test: [CMD, "true"], interval: 5s, timeout: 3s, retries: 2, start_period: 1s}
    deploy: {replicas: 1, resources: {limits: {cpus: 0.5, memory: 64m, pids: 50}}, restart_policy: {condition: on-failure, delay: 1s, max_attempts: 3, window: 5s}, placement: {constraints: [node.role==manager]}}
    secrets: [{source: key, target: k, uid: "1", gid: "2", mode: 0400}]
    configs: [settings]
    volumes: ["data:/data", {type: tmpfs, target: /t, tmpfs: {size: 1000, mode: 0700}}, {type: volume, target: /anonymous}]
    tmpfs: ["/run:size=1m"]
    ulimits: {nofile: {soft: 10, hard: 20}, nproc: 5}
    sysctls: {net.core.somaxconn: "100"}
    dns: [1.1.1.1]
    extra_hosts: ["x=1.2.3.4"]
    logging: {driver: local, options: {max-size: 1m}}
    stop_grace_period: 2s
    stop_signal: SIGINT
    restart: on-failure:2
    links: ["db:database"]
    init: true
    shm_size: 1m
    cap_add: [NET_ADMIN]
    security_opt: ["no-new-privileges:true"]
    user: "1:2"
    working_dir: /x
    hostname: h
  db:
    image: busybox
    networks: [back]
    scale: 2
  job: {image: busybox, network_mode: none}
  side: {image: busybox, network_mode: "service:web", pid: "service:db"}
networks:
  front: {ipam: {config: [{subnet: 10.91.0.0/24, gateway: 10.91.0.1, ip_range: 10.91.0.0/25, aux_addresses: {a: 10.91.0.3}}]}, driver_opts: {com.docker.network.driver.mtu: "1400"}}
  back: {internal: true, enable_ipv6: true}
volumes: {data: {driver_opts: {type: none, o: bind, device: /tmp}}}
secrets: {key: {environment: KEY}}
configs: {settings: {content: "a: b"}}
`;

function sent(): Record<string, unknown> {
  const loaded = loadFiles({ 'compose.yaml': application }, { environment: new Map([['KEY', 'k'], ['HOME', '/root']]) });
  if (loaded.kind !== 'loaded') throw new Error(JSON.stringify(loaded));
  const { project } = loaded;
  const deployment = { project, workingDir: '/srv', configFiles: ['/srv/compose.yaml'], serviceHashes: Object.fromEntries(Object.keys(project.services).map((name) => [name, name])), secretData: { key: 'a2V5' }, configData: { settings: 'YTogYg==' }, disabledServices: ['off'], options: plainOptions };
  return JSON.parse(JSON.stringify(deployment));
}

const hostile: readonly unknown[] = [
  null, true, false, '', 'x', '0', '-1', 'a b', 'a\0b', 'a\nb', '../../etc/passwd', '/', '/proc', '%s%n', '__proto__', 'constructor', 'toString', '🦀', 'é'.normalize('NFD'), 'x'.repeat(5000), '0.0.0.0', '999.1.1.1', '10.0.0.0/33', '10.91.0.0/0', '::', '::/129', 'fe80::1',
  '80-70', '70000', '1-65535', '99999999999999999999', '1e9', 'NaN', '-1ns', '9999999h', '$(reboot)', 'service:', 'service:web', 'container:', 'host', 'none', 'lo', 'eth0', '01:00:00:00:00:00', 'sha256:', 'CMD', 'NONE', 'on-failure:-1', 'on-failure:x', 'SIGNONE',
  0, -1, 1, 1.5, 65_535, 65_536, 2 ** 31, 2 ** 53, 1e308, -1e308, [], [null], [[]], ['a', 'a'], [1], {}, { a: null }, { a: {} }, { constructor: 'x' }, { toString: null }, JSON.parse('{"__proto__": {"image": "x"}}'), JSON.parse(`${'['.repeat(50)}${']'.repeat(50)}`), JSON.parse(`${'{"a":'.repeat(500)}1${'}'.repeat(500)}`),
];

type Spot = { readonly container: object; readonly key: string };

function spotsOf(value: unknown, spots: Spot[] = []): Spot[] {
  if (typeof value !== 'object' || value === null) return spots;
  for (const [key, inner] of Object.entries(value)) {
    spots.push({ container: value, key });
    spotsOf(inner, spots);
  }
  return spots;
}

/** Drops, retypes, doubles, renames, moves or adds; answers what it did, for people. */
function mutate(root: object, random: Random): string {
  const spots = spotsOf(root);
  const spot = spots[randomBelow(random, spots.length)];
  const other = spots[randomBelow(random, spots.length)];
  if (spot === undefined || other === undefined) return 'nothing';
  const { container, key } = spot;
  const set = (name: string, value: unknown): void => void Object.defineProperty(container, name, { value: structuredClone(value), enumerable: true, configurable: true, writable: true });
  const drop = (): void => void (Array.isArray(container) ? container.splice(Number(key), 1) : Reflect.deleteProperty(container, key));
  const value = hostile[randomBelow(random, hostile.length)];
  const names = ['__proto__', 'constructor', 'a b', '', 'x-own', 'toString', 'valueOf', 'x'.repeat(300), 'db', 'web'];
  const name = names[randomBelow(random, names.length)] ?? '';
  // Half of all keep the type: those come past the door.
  const like = hostile.filter((one) => typeof one === typeof Reflect.get(container, key));
  switch (randomBelow(random, 10)) {
    case 0:
      drop();
      return `drop ${key}`;
    case 1: {
      if (Array.isArray(container)) return 'nothing';
      const moved: unknown = Reflect.get(container, key);
      drop();
      set(name, moved);
      return `rename ${key} to ${name.slice(0, 20)}`;
    }
    case 2:
      set(key, Reflect.get(other.container, other.key));
      return `${key} as ${other.key}`;
    case 3:
      if (Array.isArray(container)) container.push(structuredClone(value));
      else set(name, value);
      return `add beside ${key}`;
    case 4:
      set(key, value);
      return `${key} = ${(JSON.stringify(value) ?? '').slice(0, 40)}`;
    default: {
      const other = like[randomBelow(random, Math.max(1, like.length))] ?? value;
      set(key, other);
      return `${key} = ${(JSON.stringify(other) ?? '').slice(0, 40)}`;
    }
  }
}

type Cluster = { readonly up: (body: unknown) => Promise<'accepted' | string>; readonly down: () => Promise<void>; readonly defects: string[]; readonly look: () => void; readonly close: () => Promise<void> };

async function cluster(): Promise<Cluster> {
  // NOTE: in memory where that can be: an agent with its run directory on a disk would mount a file system for its secrets.
  const folder = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'fuzz-'));
  folders.push(folder);
  const defects: string[] = [];
  const note = (event: string, fields?: Readonly<Record<string, unknown>>): void => {
    const isDefect = fields?.['code'] === 'AGENT_STEP_FAILED' || ['manager.decision-failed', 'manager.report-not-decided', 'manager.report-lost', 'agent.network-not-applied', 'agent.stranger-stays'].includes(event);
    if (isDefect) defects.push(`${event} ${JSON.stringify(fields).slice(0, 600)}`);
  };
  const log: Log = { debug: () => undefined, info: () => undefined, warn: note, error: note, child: () => log };
  const [random, clock] = [seededRandom(7), realClock];
  const store = memoryStore({ nowMs: clock.nowMs });
  const manager = createManager({ store, clock, random, log, addressPools: [] });
  const engine = fakeEngine({ clock });
  engine.addImage('busybox');
  const net = createFakeNet();
  const session = memorySession(queueMicrotask);
  manager.connectAgent(session.manager);
  const agent = await Agent.start({
    engine, net, clock, random, log, session: session.agent, facts: node, defer: (callback) => void setImmediate(callback), hostResolvConf: 'nameserver 1.1.1.1\n', hostsFileOfHost: '127.0.0.1 localhost\n', onPull: () => undefined,
    dataDir: join(folder, 'data'), runDir: join(folder, 'run'),
  });
  const { control, queries } = manager;
  const routes = projectRoutes({ control, queries, engine, clock, preflight: { engine, net, queries }, refreshHost: async () => undefined });
  const call = async (path: string, body: unknown): Promise<string> => {
    const route: Route | undefined = routes.find((one) => one.path === `/v1/projects/:name/${path}`);
    if (route === undefined) throw new Error(path);
    try {
      // NOTE: as the server does: what is thrown here is the status, what comes while the lines are read is the last line.
      const reply = await route.handle({ params: { name: 'shop' }, query: new URLSearchParams(), body: JSON.parse(JSON.stringify(body)), signal: new AbortController().signal });
      if (reply.kind !== 'lines') throw new Error(reply.kind);
      for await (const _ of reply.values) void _;
      return 'accepted';
    } catch (error) {
      if (!isAppError(error) || error.code === 'BASE_INTERNAL' || error.code === 'AGENT_STEP_FAILED') defects.push(`500: ${error instanceof Error ? error.stack : String(error)}`);
      return isAppError(error) ? error.code : 'defect';
    }
  };
  return {
    defects,
    up: (deployment) => call('up', { deployment, goal: 'started', timeoutMs: 30 }),
    down: async () => {
      const outcome = await call('down', { services: [], volumes: true, removeOrphans: true, graceMs: 0 });
      if (outcome !== 'accepted') defects.push(`down: ${outcome}`);
    },
    look: () => {
      queries.projects();
      summarize({ engine, queries, ports: () => [], projectName: null, isAll: true });
      for (const kind of objectKinds) for (const object of allOf(store.view(), kind)) expect(parseObject(JSON.parse(JSON.stringify(object)))).toEqual(object);
    },
    close: async () => {
      await agent.close();
      await manager.close();
    },
  };
}

test('the application that is mutated is taken as it is', async () => {
  const one = await cluster();
  expect(await one.up(sent())).toMatch(/accepted|DAEMON_TIMEOUT/);
  one.look();
  await one.down();
  expect(one.defects).toEqual([]);
  await one.close();
});

const rounds = Number(process.env['FUZZ_ROUNDS'] ?? 600);
const firstSeed = Number(process.env['FUZZ_SEED'] ?? 1);

test(`${rounds} mutated deployments: each is refused with a code or carried out, and breaks no reader`, { timeout: 120_000 + rounds * 100 }, async () => {
  const original = JSON.stringify(sent());
  const outcomes = new Map<string, number>();
  let one = await cluster();
  for (let seed = firstSeed; seed < firstSeed + rounds; seed += 1) {
    const random = seededRandom(seed);
    const body: Record<string, unknown> = JSON.parse(original);
    const done = Array.from({ length: 1 + randomBelow(random, 3) }, () => mutate(body, random));
    const outcome = await one.up(body);
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
    one.look();
    if (outcome !== 'DAEMON_BAD_REQUEST') await one.down();
    expect(one.defects, `SEED=${seed}: ${done.join(', ')}`).toEqual([]);
    if (seed % 200 === 0) {
      await one.close();
      one = await cluster();
    }
  }
  await one.close();
  // Both doors are passed often, or the mutations are too tame or too wild.
  const taken = (outcomes.get('accepted') ?? 0) + (outcomes.get('DAEMON_TIMEOUT') ?? 0);
  expect(taken, JSON.stringify([...outcomes])).toBeGreaterThan(rounds / 20);
  expect(outcomes.get('DAEMON_BAD_REQUEST') ?? 0).toBeGreaterThan(rounds / 5);
});
