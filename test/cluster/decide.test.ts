import { describe, expect, test } from 'vitest';
import { decideDown, decideRestart, decideScale, decideStart, decideStop, orphansLeft } from '../../src/cluster/decide/commands.ts';
import { allOf } from '../../src/cluster/state/view.ts';
import { decideReport } from '../../src/cluster/decide/report.ts';
import { dependsOn, deployment, node, service, World } from './world.ts';

const down = { projectName: 'shop', services: [], stopGraceMs: null, removeVolumes: false, removeOrphans: false, fileServices: null };
const stack = {
  db: service({ healthcheck: { test: ['CMD', 'true'] } }),
  migrate: service({ depends_on: dependsOn({ db: 'service_healthy' }) }),
  web: service({ depends_on: dependsOn({ migrate: 'service_completed_successfully', db: 'service_started' }) }),
};

function deployed(services = stack, options = {}): World {
  const world = new World();
  world.behaviours['db'] = { health: 'healthy' };
  world.behaviours['migrate'] = { exits: 0 };
  world.up(deployment(services, options));
  world.settle();
  return world;
}

/** The order of starts in the log since a line. */
function events(world: World, from = 0): string[] {
  return world.log.slice(from);
}

describe('up', () => {
  test('makes everything at once and starts it in the order of the conditions', () => {
    const world = new World();
    world.behaviours['db'] = { health: 'starting' };
    world.behaviours['migrate'] = { exits: 0 };
    world.up(deployment(stack));
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 prepared/prepared\nweb-1 prepared/prepared');
    world.behaviours['db'] = { health: 'healthy' };
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 stopped/exited done\nweb-1 running/running');
    expect(events(world).filter((line) => !line.includes('created'))).toEqual(['shop-db-1 started', 'shop-migrate-1 started', 'shop-migrate-1 exits 0', 'shop-web-1 started']);
  });

  test('a second one of what runs changes nothing at all', () => {
    const lasting = { db: stack.db, web: service({ depends_on: dependsOn({ db: 'service_healthy' }) }) };
    const world = deployed(lasting as never);
    const before = world.log.length;
    const { revision } = world.view;
    const decision = world.up(deployment(lasting));
    expect(decision.changes).toEqual([]);
    world.settle();
    expect(events(world, before)).toEqual([]);
    expect(allOf(world.view, 'task').every((one) => one.version <= revision)).toBe(true);
  });

  test('replaces what has changed, stop first, and what was completed when its definition changes', () => {
    const world = deployed();
    const before = world.log.length;
    world.up(deployment({ ...stack, migrate: service({ ...stack.migrate, command: ['new'] }) }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-migrate-1 removed', 'shop-migrate-1 created', 'shop-migrate-1 started', 'shop-migrate-1 exits 0']);
    expect(world.task('shop-web-1')?.status.state).toBe('running');
  });

  test('keeps the old container running when the new one can not be fetched', () => {
    const world = deployed({ ...stack, db: service({ restart: 'always' }) });
    world.behaviours['db'] = { rejects: true, health: 'healthy' };
    world.up(deployment({ ...stack, db: service({ image: 'nowhere' }) }));
    world.settle();
    expect(world.show()).toContain('db-1 running/running');
    expect(world.show()).toContain('db-1 fetched/rejected AGENT_STEP_FAILED');
  });

  test('depends_on.restart stops the dependent before its dependency is replaced, and starts it after', () => {
    const tied = { db: service(), web: service({ depends_on: dependsOn({ db: 'service_started' }, { restart: true }) }) };
    const world = deployed(tied as never);
    const before = world.log.length;
    world.up(deployment({ ...tied, db: service({ command: ['new'] }) }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-web-1 stopped', 'shop-db-1 stopped', 'shop-db-1 removed', 'shop-db-1 created', 'shop-db-1 started', 'shop-web-1 started']);
  });

  test('--force-recreate makes everything anew, and what was completed runs again', () => {
    const world = deployed();
    const before = world.log.length;
    world.up(deployment(stack, { options: { forceRecreate: true } }));
    world.settle();
    expect(events(world, before).filter((line) => line.includes('created'))).toHaveLength(3);
    expect(events(world, before)).toContain('shop-migrate-1 exits 0');
  });

  test('a second one runs again what has completed, in the same container, and leaves alone what runs', () => {
    const world = deployed();
    const before = world.log.length;
    world.up(deployment(stack));
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 prepared/exited\nweb-1 running/running');
    world.settle();
    expect(events(world, before)).toEqual(['shop-migrate-1 started', 'shop-migrate-1 exits 0']);
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 stopped/exited done\nweb-1 running/running');
  });

  test('what is replaced waits for the new run of what it needs, not for its old end', () => {
    const world = deployed();
    const before = world.log.length;
    world.up(deployment({ ...stack, web: service({ ...stack.web, command: ['new'] }) }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-migrate-1 started', 'shop-migrate-1 exits 0', 'shop-web-1 stopped', 'shop-web-1 removed', 'shop-web-1 created', 'shop-web-1 started']);
  });

  test.for([
    [{ services: ['web'] }, ['shop-migrate-1 started', 'shop-migrate-1 exits 0']],
    [{ services: ['web'], noDeps: true }, []],
    [{ services: ['db'] }, []],
    [{ noStart: true }, []],
    [{ noRecreate: true }, ['shop-migrate-1 started', 'shop-migrate-1 exits 0']],
  ] as const)('of what has completed, %j runs what it is about', ([options, expected]) => {
    const world = deployed();
    const before = world.log.length;
    world.up(deployment(stack, { options }));
    world.settle();
    expect(events(world, before)).toEqual(expected);
  });

  test('what has completed and fails now holds back those who are not there yet, and leaves alone those who are', () => {
    const world = deployed();
    world.behaviours['migrate'] = { exits: 1 };
    world.up(deployment({ ...stack, late: service({ depends_on: dependsOn({ migrate: 'service_completed_successfully' }) }) }));
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nlate-1 prepared/prepared CLUSTER_DEPENDENCY_FAILED\nmigrate-1 running/exited\nweb-1 running/running');
  });

  test('a failed run keeps the old version of its dependents running, and says so in the new one', () => {
    const world = deployed();
    const changed = deployment({ ...stack, web: service({ ...stack.web, command: ['new'] }) });
    world.behaviours['migrate'] = { exits: 1 };
    world.up(changed);
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 running/exited\nweb-1 fetched/fetched CLUSTER_DEPENDENCY_FAILED\nweb-1 running/running');
    world.behaviours['migrate'] = { exits: 0 };
    world.up(changed);
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 stopped/exited done\nweb-1 running/running');
  });

  test('starts what was stopped, what has failed and what has completed', () => {
    const world = deployed({ ...stack, job: service() } as never);
    world.decide((view) => decideStop(view, { projectName: 'shop', services: [], stopGraceMs: null }));
    world.settle();
    expect(world.show()).toBe('db-1 stopped/exited\njob-1 stopped/exited\nmigrate-1 stopped/exited done\nweb-1 stopped/exited');
    const before = world.log.length;
    world.up(deployment({ ...stack, job: service() }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-db-1 started', 'shop-job-1 started', 'shop-migrate-1 started', 'shop-migrate-1 exits 0', 'shop-web-1 started']);
  });

  test('orphans are told of, and go when that is asked for', () => {
    const world = deployed();
    const told = world.up(deployment({ db: stack.db }));
    expect(told.diagnostics.map((one) => one.code)).toEqual(['CLUSTER_ORPHANS']);
    world.up(deployment({ db: stack.db }, { options: { removeOrphans: true } }));
    world.settle();
    expect(world.show()).toBe('db-1 running/running');
  });

  test('a container_name that is taken says who has it and how it is had', () => {
    const named = service({ container_name: 'the-one' });
    const world = new World();
    world.up(deployment({ old: named, other: service() }));
    world.settle();
    const refusalOf = (next: ReturnType<typeof deployment>): unknown[] => world.up(next).diagnostics.filter((one) => one.severity === 'error').map((one) => [one.code, one.path, one.message, one.hint]);
    expect(refusalOf(deployment({ new: named, other: service() }))).toEqual([[
      'CLUSTER_NAME_IN_USE', 'services.new.container_name', 'service new: the container name the-one is taken by a container of service old, which the file no longer has',
      expect.stringContaining('--remove-orphans'),
    ]]);
    expect(refusalOf(deployment({ old: service(), new: named }))).toEqual([['CLUSTER_NAME_IN_USE', 'services.new.container_name', expect.stringContaining('service old of this application'), expect.stringContaining('flotilla compose up -d --no-deps old')]]);
    expect(refusalOf(deployment({ new: named }, { name: 'rival' }))).toEqual([['CLUSTER_NAME_IN_USE', 'services.new.container_name', expect.stringContaining('service old of application shop'), expect.stringContaining('flotilla compose -p shop down old')]]);
    expect(world.show()).toBe('other-1 running/running\nthe-one running/running');
  });

  test('a service that was renamed takes its container_name along, once the old one is gone', () => {
    const named = service({ container_name: 'the-one' });
    const world = new World();
    world.up(deployment({ old: named }));
    world.settle();
    const before = world.log.length;
    world.up(deployment({ new: named }, { options: { removeOrphans: true } }));
    world.settle();
    expect(allOf(world.view, 'task').map((one) => `${one.containerName} ${one.serviceName} ${one.status.state}`)).toEqual(['the-one new running']);
    expect(events(world, before)).toEqual(['the-one stopped', 'the-one removed', 'the-one created', 'the-one started']);
  });

  test('--no-start makes containers and starts none', () => {
    const world = deployed(stack, { options: { noStart: true } });
    expect(world.show()).toBe('db-1 stopped/prepared\nmigrate-1 stopped/prepared\nweb-1 stopped/prepared');
    world.decide((view) => decideStart(view, { projectName: 'shop', services: [] }).changes);
    world.settle();
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 stopped/exited done\nweb-1 running/running');
  });

  test('a named service brings what it needs, and nothing else', () => {
    const world = deployed({ ...stack, other: service() } as never, { options: { services: ['migrate'] } });
    expect(world.show()).toBe('db-1 running/running\nmigrate-1 stopped/exited done');
  });

  test('refuses all that is wrong at once, and changes nothing', () => {
    const world = new World();
    const decision = world.up(deployment({ a: service({ gpus: [{ count: 1 }], networks: { out: null } }), b: service({ runtime: 'x', network_mode: 'weird' }) }, { options: { services: ['a', 'b', 'c'] }, project: { networks: { out: { external: true, name: 'out', ipam: {} } } } }));
    expect(decision.isRefused).toBe(true);
    expect(decision.diagnostics.map((one) => [one.code, one.path])).toEqual(expect.arrayContaining([
      ['CLUSTER_KEY_REFUSED', 'services.a.gpus'], ['CLUSTER_KEY_REFUSED', 'services.b.runtime'], ['CLUSTER_KEY_REFUSED', 'services.b.network_mode'],
      ['CLUSTER_NETWORK_NOT_FOUND', 'networks.out'], ['CLUSTER_SERVICE_NOT_FOUND', undefined],
    ]));
    expect(allOf(world.view, 'service')).toEqual([]);
  });
});

describe('a dependency that fails', () => {
  test.for([
    ['exits with 1', { exits: 1 }, 'service "migrate" didn\'t complete successfully: exit 1'],
    ['can not be made', { rejects: true }, 'container shop-migrate-1 could not be started: no such image'],
  ] as const)('one that %s is named in the dependent', ([, behaviour, reason]) => {
    const world = new World();
    world.behaviours['db'] = { health: 'healthy' };
    world.behaviours['migrate'] = behaviour;
    world.up(deployment(stack));
    world.settle();
    expect(world.task('shop-web-1')).toMatchObject({ desired: 'prepared', status: { error: { code: 'CLUSTER_DEPENDENCY_FAILED', message: `dependency failed to start: ${reason}` } } });
  });

  test('an unhealthy one holds its dependents back until it recovers', () => {
    const world = new World();
    world.behaviours['db'] = { health: 'unhealthy' };
    world.behaviours['migrate'] = { exits: 0 };
    world.up(deployment(stack));
    world.settle();
    expect(world.task('shop-migrate-1')?.status.error?.message).toBe('dependency failed to start: container shop-db-1 is unhealthy');
    expect(world.task('shop-web-1')?.status.error?.code).toBe('CLUSTER_DEPENDENCY_FAILED');
    world.behaviours['db'] = { health: 'healthy' };
    world.settle();
    expect(world.task('shop-web-1')).toMatchObject({ desired: 'running', status: { error: null } });
  });

  test('one that is not required is passed over', () => {
    const world = new World();
    world.behaviours['job'] = { exits: 1 };
    world.up(deployment({ job: service(), web: service({ depends_on: dependsOn({ job: 'service_completed_successfully' }, { required: false }) }) }));
    world.settle();
    expect(world.task('shop-web-1')?.status.state).toBe('running');
  });
});

describe('stopping, starting, going', () => {
  test('stop goes against the order of the dependencies, one level after the other', () => {
    const world = deployed();
    const before = world.log.length;
    world.decide((view) => decideStop(view, { projectName: 'shop', services: [], stopGraceMs: 1000 }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-web-1 stopped', 'shop-db-1 stopped']);
    expect(world.task('shop-web-1')?.stopGraceMs).toBe(1000);
  });

  test('start follows the order again', () => {
    const world = deployed();
    world.decide((view) => decideStop(view, { projectName: 'shop', services: [], stopGraceMs: null }));
    world.settle();
    const before = world.log.length;
    world.decide((view) => decideStart(view, { projectName: 'shop', services: ['web'] }).changes);
    world.settle();
    expect(events(world, before)).toEqual(['shop-db-1 started', 'shop-migrate-1 started', 'shop-migrate-1 exits 0', 'shop-web-1 started']);
  });

  test('restart is in place and in order', () => {
    const world = deployed();
    const before = world.log.length;
    world.decide((view) => decideRestart(view, { projectName: 'shop', services: ['db', 'web'], stopGraceMs: null, withDependents: true }));
    world.settle();
    expect(events(world, before)).toEqual(['shop-db-1 stopped', 'shop-db-1 started', 'shop-web-1 stopped', 'shop-web-1 started']);
  });

  test('down leaves nothing but named volumes; with -v not even those', () => {
    const services = { web: service({ volumes: [{ type: 'volume', source: 'data', target: '/data' }], networks: { front: null } }) };
    const project = { networks: { front: { ipam: {} } }, volumes: { data: {} } };
    for (const removeVolumes of [false, true]) {
      const world = deployed(services as never, { project });
      expect(allOf(world.view, 'volume').map((one) => one.nodeId)).toEqual(['node1']);
      world.decide((view) => decideDown(view, { ...down, removeVolumes }));
      world.settle();
      for (const kind of ['task', 'service', 'network', 'project'] as const) expect(allOf(world.view, kind)).toEqual([]);
      expect(allOf(world.view, 'volume').map((one) => one.name)).toEqual(removeVolumes ? [] : ['shop_data']);
      expect(world.bodies.size).toBe(0);
    }
  });

  test('down leaves what the file does not have, and says so; what a profile switched off stays even with --remove-orphans', () => {
    const world = deployed({ web: service({}), old: service({}), tool: service({}) } as never);
    const options = { ...down, fileServices: ['web'], disabledServices: ['tool'], removeOrphans: false };
    expect(orphansLeft(world.view, options)).toEqual(['old']);
    expect(orphansLeft(world.view, { ...options, removeOrphans: true })).toEqual([]);
    world.decide((view) => decideDown(view, options));
    world.settle();
    expect(allOf(world.view, 'service').map((one) => one.name).sort()).toEqual(['old', 'tool']);
    world.decide((view) => decideDown(view, { ...options, removeOrphans: true }));
    world.settle();
    expect(allOf(world.view, 'service').map((one) => one.name)).toEqual(['tool']);
  });

  test('down goes against the order, and what is under way is not waited for in vain', () => {
    const world = deployed();
    const before = world.log.length;
    world.decide((view) => decideDown(view, down));
    world.settle();
    expect(events(world, before).filter((line) => line.includes('stopped'))).toEqual(['shop-web-1 stopped', 'shop-db-1 stopped']);
  });

  test('scale fills and empties slots', () => {
    const world = deployed({ web: service({ ports: [{ target: 80, published: '8000-8009', protocol: 'tcp' }] }) } as never);
    world.decide((view) => decideScale(view, { projectName: 'shop', replicas: { web: 3 } }));
    world.settle();
    expect(world.show()).toBe('web-1 running/running\nweb-2 running/running\nweb-3 running/running');
    expect(allOf(world.view, 'task').flatMap((one) => one.ports.map((port) => port.hostPort)).sort()).toEqual([8000, 8001, 8002]);
    world.decide((view) => decideScale(view, { projectName: 'shop', replicas: { web: 1 } }));
    world.settle();
    expect(world.show()).toBe('web-1 running/running');
  });
});

describe('after a reboot', () => {
  test('what has a policy comes back in the order of dependencies; what has none stays down; what was done stays done', () => {
    const policy = { restart: 'unless-stopped' };
    const world = deployed({ db: service({ ...stack.db, ...policy }), migrate: stack.migrate, web: service({ ...stack.web, ...policy }), loose: service() } as never);
    const before = world.log.length;
    world.behaviours['db'] = { health: 'starting' };
    world.reboot();
    world.settle();
    expect(events(world, before)).toEqual(['reboot', 'shop-db-1 started', 'shop-web-1 started']);
    expect(world.task('shop-loose-1')).toMatchObject({ desired: 'stopped' });
    expect(world.task('shop-migrate-1')).toMatchObject({ isDone: true });
  });

  test('a healthy condition is waited for again', () => {
    const policy = { restart: 'always' };
    const world = deployed({ db: service({ ...stack.db, ...policy }), web: service({ ...policy, depends_on: dependsOn({ db: 'service_healthy' }) }) } as never);
    world.behaviours['db'] = { health: 'starting' };
    world.reboot();
    world.settle();
    expect(world.task('shop-web-1')).toMatchObject({ desired: 'prepared' });
    world.behaviours['db'] = { health: 'healthy' };
    world.settle();
    expect(world.task('shop-web-1')).toMatchObject({ desired: 'running', status: { state: 'running' } });
  });
});

describe('networks', () => {
  test('a network whose definition changes is made anew with everyone on it', () => {
    const services = { a: service({ networks: { front: null } }), b: service({ networks: { front: null } }) };
    const project = (subnet: string): object => ({ networks: { front: { ipam: { config: [{ subnet }] } } } });
    const world = deployed(services as never, { project: project('10.5.0.0/24') });
    expect(allOf(world.view, 'task').map((one) => one.attachments[0]?.ip)).toEqual(['10.5.0.2', '10.5.0.3']);
    world.up(deployment({ a: services.a }, { project: project('10.5.0.0/16'), options: { services: ['a'] } }));
    world.settle();
    expect(allOf(world.view, 'network').map((one) => one.subnet)).toEqual(['10.5.0.0/16']);
    expect(world.show()).toBe('a-1 running/running\nb-1 running/running');
  });

  test('pools avoid what a node has come to reach since it introduced itself', () => {
    const world = new World();
    world.decide((view) => decideReport(view, { nodeId: node.nodeId, tasks: [], removedVolumes: [], hostSubnets: ['172.17.4.0/24', '172.18.0.0/30'] }));
    world.up(deployment({ a: service() }));
    expect(allOf(world.view, 'network').map((one) => one.subnet)).toEqual(['172.19.0.0/16']);
  });

  test('pools avoid the host\'s own subnets and each other', () => {
    const world = new World();
    for (let index = 0; index < 17; index += 1) world.up(deployment({ a: service() }, { name: `p${index}` }));
    const subnets = allOf(world.view, 'network').map((one) => one.subnet);
    expect(new Set(subnets).size).toBe(17);
    expect(subnets).toContain('192.168.16.0/20');
    expect(subnets).not.toContain('192.168.0.0/20');
  });

  test('a static address is given to one container only, and passes to its successor', () => {
    const fixed = (command: string[] | null = null): ReturnType<typeof service> => service({ command, networks: { front: { ipv4_address: '10.6.0.9' } } });
    const project = { networks: { front: { ipam: { config: [{ subnet: '10.6.0.0/24' }] } } } };
    const world = deployed({ a: fixed() } as never, { project });
    world.up(deployment({ a: fixed(['new']) }, { project }));
    world.settle();
    expect(allOf(world.view, 'task').map((one) => one.attachments[0]?.ip)).toEqual(['10.6.0.9']);
    const clash = world.up(deployment({ a: fixed(), b: fixed() }, { project }));
    expect(clash.diagnostics.map((one) => one.code)).toEqual(['CLUSTER_ADDRESS_IN_USE']);
  });

  test.for([
    [{}, {}, {}, true],
    [{ host_ip: '127.0.0.1' }, {}, {}, true],
    [{ host_ip: '127.0.0.1' }, { host_ip: '127.0.0.2' }, {}, false],
    [{ protocol: 'udp' }, {}, {}, false],
    [{ published: '8080-8081' }, {}, {}, false],
    [{ published: '0' }, { published: '0' }, {}, false],
    [{}, {}, { services: ['a'] }, false],
    [{}, {}, { scale: { b: 0 } }, false],
  ] as const)('two services of a file with the ports %j and %j, of %j: refused at its place is %j', ([a, b, options, isRefused]) => {
    const world = new World();
    const publishing = (more: object): ReturnType<typeof service> => service({ ports: [{ target: 80, published: '8080', protocol: 'tcp', ...more }] });
    const decision = world.up(deployment({ a: publishing(a), b: publishing(b) }, { options }));
    expect(decision.isRefused).toBe(isRefused);
    expect(decision.diagnostics.map((one) => [one.code, one.path, one.message])).toEqual(isRefused ? [['CLUSTER_PORT_IN_USE', 'services.b.ports[0]', 'services a and b both publish port 8080/tcp']] : []);
    expect(allOf(world.view, 'service').length === 0).toBe(isRefused);
  });

  test('a published port belongs to one service', () => {
    const web = service({ ports: [{ target: 80, published: '8080', protocol: 'tcp' }] });
    const world = deployed({ web } as never);
    world.up(deployment({ web }, { name: 'blog' }));
    world.settle();
    expect(world.task('blog-web-1')?.status.error).toMatchObject({ code: 'CLUSTER_NO_NODE', hint: 'n1: port 8080/tcp is published by shop-web-1' });
    world.decide((view) => decideDown(view, down));
    world.settle();
    expect(world.task('blog-web-1')).toMatchObject({ status: { state: 'running', error: null } });
  });
});

test('changed content of a secret is another object, and recreates who uses it', () => {
  const services = { web: service({ secrets: [{ source: 'key' }] }) };
  const project = { secrets: { key: { file: './key' } } };
  const world = deployed(services as never, { project, secretData: { key: btoa('one') } });
  const [first] = allOf(world.view, 'secret');
  const before = world.log.length;
  world.up(deployment(services, { project, secretData: { key: btoa('two') } }));
  world.settle();
  expect(allOf(world.view, 'secret')).toHaveLength(1);
  expect(allOf(world.view, 'secret')[0]?.id).not.toBe(first?.id);
  expect(events(world, before)).toEqual(['shop-web-1 stopped', 'shop-web-1 removed', 'shop-web-1 created', 'shop-web-1 started']);
});

test('a container that shares a namespace is made anew with the one it shares it with', () => {
  const services = { vpn: service(), app: service({ network_mode: 'service:vpn' }) };
  const world = deployed(services as never);
  expect(world.task('shop-app-1')?.joins).toEqual([world.task('shop-vpn-1')?.containerId]);
  world.up(deployment({ ...services, vpn: service({ command: ['new'] }) }));
  world.settle();
  expect(world.show()).toBe('app-1 running/running\nvpn-1 running/running');
  expect(world.task('shop-app-1')?.joins).toEqual([world.task('shop-vpn-1')?.containerId]);
});
