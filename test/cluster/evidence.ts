import type { Service } from '../../src/model/project.ts';
import type { Scene } from './effects.ts';

/**
 * For each row of model/support that a laptop honours: two scenes that differ in that key alone and whose effects must differ (`differs`), or,
 * for a key whose only honoured value asks for what is so anyway, one whose effects must not (`same`).
 */
export type Evidence = { readonly kind: 'differs' | 'same'; readonly without: Scene; readonly with: Scene };

type Base = Omit<Scene, 'web'>;

function web(fields: Partial<Service>, without: Partial<Service> = {}, base: Base = {}): Evidence {
  return { kind: 'differs', without: { ...base, web: without }, with: { ...base, web: { ...without, ...fields } } };
}

function same(fields: Partial<Service>, base: Base = {}): Evidence {
  return { kind: 'same', without: base, with: { ...base, web: fields } };
}

function scenes(without: Scene, withKey: Scene, kind: Evidence['kind'] = 'differs'): Evidence {
  return { kind, without, with: withKey };
}

type Deploy = NonNullable<Service['deploy']>;

function deploy(fields: Partial<Deploy>, without: Partial<Service> = {}, base: Base = {}): Evidence {
  const bare: Deploy = { resources: {}, placement: {} };
  return web({ deploy: { ...bare, ...fields } }, { ...without, deploy: bare }, base);
}

type Mount = NonNullable<Service['volumes']>[number];

function mount(fields: Partial<Mount>, without: Mount): Evidence {
  return web({ volumes: [{ ...without, ...fields }] }, { volumes: [without] });
}

const bind: Mount = { type: 'bind', source: '/a', target: '/b' };
const volume: Mount = { type: 'volume', source: 'data', target: '/data' };
const tmpfs: Mount = { type: 'tmpfs', target: '/t' };

type Port = NonNullable<Service['ports']>[number];

function port(fields: Partial<Port>): Evidence {
  const plain: Port = { target: 80, published: '8080', protocol: 'tcp' };
  return web({ ports: [{ ...plain, ...fields }] }, { ports: [plain] });
}

type Healthcheck = NonNullable<Service['healthcheck']>;

function health(fields: Healthcheck): Evidence {
  return web({ healthcheck: { test: ['CMD', 'true'], ...fields } }, { healthcheck: { test: ['CMD', 'true'] } });
}

type NetworkUse = NonNullable<NonNullable<Service['networks']>[string]>;

function use(fields: NetworkUse, base: Base = {}): Evidence {
  return web({ networks: { a: null, b: fields } }, { networks: { a: null, b: null } }, base);
}

const subnets: Base = { project: { networks: { b: { ipam: { config: [{ subnet: '10.9.0.0/24' }, { subnet: 'fd09::/64' }] } } } } };

type NetworkFields = Partial<NonNullable<NonNullable<Scene['project']>['networks']>[string]>;

function network(fields: NetworkFields, without: NetworkFields = {}, kind: Evidence['kind'] = 'differs'): Evidence {
  const scene = (more: NetworkFields): Scene => ({ web: { networks: { a: null } }, project: { networks: { a: { ipam: {}, ...without, ...more } } } });
  return scenes(scene({}), scene(fields), kind);
}

type VolumeFields = NonNullable<NonNullable<Scene['project']>['volumes']>[string];

function namedVolume(fields: VolumeFields, kind: Evidence['kind'] = 'differs'): Evidence {
  const scene = (more: VolumeFields): Scene => ({ web: { volumes: [volume] }, project: { volumes: { data: more } } });
  return scenes(scene({}), scene(fields), kind);
}

type SourceFields = NonNullable<NonNullable<Scene['project']>['secrets']>[string];

function data(section: 'secrets' | 'configs', fields: SourceFields): Evidence {
  const key = section === 'secrets' ? 'token' : 'page';
  const scene = (more: SourceFields): Scene => ({ web: { [section]: [{ source: key }] }, project: { [section]: { [key]: more } } });
  return scenes(scene({}), scene(fields));
}

function fileUse(section: 'secrets' | 'configs'): Record<string, Evidence> {
  const source = section === 'secrets' ? 'token' : 'page';
  const one = (fields: object): Evidence => web({ [section]: [{ source, ...fields }] }, { [section]: [{ source }] });
  return {
    [`${section}.[].source`]: web({ [section]: [{ source }] }),
    [`${section}.[].target`]: one({ target: '/elsewhere' }),
    [`${section}.[].uid`]: one({ uid: '101' }),
    [`${section}.[].gid`]: one({ gid: '102' }),
    [`${section}.[].mode`]: one({ mode: '0400' }),
  };
}

function dependsOn(fields: object, without: object, base: Base): Evidence {
  const plain = { condition: 'service_started' as const, required: true, ...without };
  return web({ depends_on: { db: { ...plain, ...fields } } }, { depends_on: { db: plain } }, { others: { db: {} }, ...base });
}

const zones: Base = { nodes: [{ id: 'node0', labels: { zone: 'a' } }, { id: 'node2', labels: { zone: 'b' } }, { id: 'node1', version: 1, labels: { zone: 'a' } }] };

/** By the key of the row, without `services.*.`. */
export const serviceEvidence: Readonly<Record<string, Evidence>> = {
  annotations: web({ annotations: { a: 'b' } }),
  cap_add: web({ cap_add: ['NET_ADMIN'] }),
  cap_drop: web({ cap_drop: ['ALL'] }),
  cgroup: web({ cgroup: 'host' }),
  command: web({ command: ['x'] }),
  container_name: web({ container_name: 'other' }),
  cpu_period: web({ cpu_period: 50_000 }),
  cpu_quota: web({ cpu_quota: 50_000 }),
  cpu_shares: web({ cpu_shares: 512 }),
  cpus: web({ cpus: 0.5 }),
  cpuset: web({ cpuset: '0' }),
  'depends_on.*.condition': dependsOn({ condition: 'service_healthy' }, {}, { behaviours: { db: { health: 'unhealthy' } } }),
  'depends_on.*.required': dependsOn({ required: false }, { condition: 'service_completed_successfully' }, { behaviours: { db: { exits: 1 } } }),
  'depends_on.*.restart': dependsOn({ restart: true }, {}, { again: { forceRecreate: true, services: ['db'] } }),
  'deploy.mode': same({ deploy: { mode: 'global', resources: {}, placement: {} } }),
  'deploy.endpoint_mode': same({ deploy: { endpoint_mode: 'dnsrr', resources: {}, placement: {} } }),
  'deploy.update_config': same({ deploy: { update_config: { order: 'stop-first' }, resources: {}, placement: {} } }),
  'deploy.replicas': deploy({ replicas: 2 }),
  'deploy.resources.limits.cpus': deploy({ resources: { limits: { cpus: 0.5 } } }),
  'deploy.resources.limits.memory': deploy({ resources: { limits: { memory: '64000000' } } }),
  'deploy.resources.limits.pids': deploy({ resources: { limits: { pids: 10 } } }),
  'deploy.resources.reservations.cpus': deploy({ resources: { reservations: { cpus: 100 } } }),
  'deploy.resources.reservations.memory': deploy({ resources: { reservations: { memory: '64000000' } } }),
  'deploy.restart_policy.condition': deploy({ restart_policy: { condition: 'none' } }, { restart: 'always' }),
  'deploy.restart_policy.delay': deploy({ restart_policy: { delay: '5s' } }, { restart: 'always' }),
  'deploy.restart_policy.max_attempts': deploy({ restart_policy: { max_attempts: 3 } }, { restart: 'always' }),
  'deploy.restart_policy.window': deploy({ restart_policy: { window: '1m0s' } }, { restart: 'always' }),
  'deploy.placement.constraints': deploy({ placement: { constraints: ['node.hostname==elsewhere'] } }),
  'deploy.placement.preferences': deploy({ placement: { preferences: [{ spread: 'node.labels.zone' }] } }, { scale: 2 }, zones),
  'deploy.placement.preferences.[].spread': deploy({ placement: { preferences: [{ spread: 'node.labels.zone' }] } }, { scale: 2 }, zones),
  'deploy.placement.max_replicas_per_node': deploy({ placement: { max_replicas_per_node: 1 } }, { scale: 2 }),
  'device_cgroup_rules.[]': web({ device_cgroup_rules: ['c 1:3 rwm'] }),
  'devices.[].source': web({ devices: [{ source: '/dev/null' }] }),
  'devices.[].target': web({ devices: [{ source: '/dev/null', target: '/dev/x' }] }, { devices: [{ source: '/dev/null' }] }),
  'devices.[].permissions': web({ devices: [{ source: '/dev/null', permissions: 'r' }] }, { devices: [{ source: '/dev/null' }] }),
  'dns.[]': web({ dns: ['1.1.1.1'] }),
  'dns_opt.[]': web({ dns_opt: ['ndots:2'] }),
  'dns_search.[]': web({ dns_search: ['example.com'] }),
  domainname: web({ domainname: 'example.com' }),
  entrypoint: web({ entrypoint: ['x'] }),
  environment: web({ environment: { A: 'b' } }),
  'extra_hosts.[]': web({ extra_hosts: ['a=1.2.3.4'] }),
  group_add: web({ group_add: ['audio'] }),
  'healthcheck.disable': health({ disable: true }),
  'healthcheck.interval': health({ interval: '7s' }),
  'healthcheck.retries': health({ retries: 7 }),
  'healthcheck.test': health({ test: ['CMD', 'false'] }),
  'healthcheck.timeout': health({ timeout: '7s' }),
  'healthcheck.start_period': health({ start_period: '7s' }),
  'healthcheck.start_interval': health({ start_interval: '7s' }),
  hostname: web({ hostname: 'other' }),
  image: web({ image: 'other' }),
  init: web({ init: true }),
  ipc: web({ ipc: 'host' }),
  isolation: same({ isolation: 'default' }),
  labels: web({ labels: { a: 'b' } }),
  'links.[]': web({ links: ['db:database'] }, {}, { others: { db: {} } }),
  'logging.driver': web({ logging: { driver: 'none' } }),
  'logging.options': web({ logging: { options: { 'max-size': '1m' } } }),
  mac_address: web({ mac_address: '02:42:ac:11:00:02' }),
  mem_limit: web({ mem_limit: '64000000' }),
  mem_reservation: web({ mem_reservation: '64000000' }),
  memswap_limit: web({ memswap_limit: '64000000' }),
  network_mode: web({ network_mode: 'none' }),
  'networks.*.aliases.[]': use({ aliases: ['other'] }),
  'networks.*.gw_priority': use({ gw_priority: 5 }),
  'networks.*.interface_name': use({ interface_name: 'lan0' }),
  'networks.*.ipv4_address': use({ ipv4_address: '10.9.0.9' }, subnets),
  'networks.*.ipv6_address': use({ ipv6_address: 'fd09::9' }, subnets),
  'networks.*.mac_address': use({ mac_address: '02:42:ac:11:00:02' }),
  'networks.*.priority': use({ priority: 5 }),
  oom_score_adj: web({ oom_score_adj: 100 }),
  pid: web({ pid: 'host' }),
  pids_limit: web({ pids_limit: 10 }),
  platform: web({ platform: 'linux/arm64' }),
  'ports.[].host_ip': port({ host_ip: '127.0.0.1' }),
  'ports.[].protocol': port({ protocol: 'udp' }),
  'ports.[].published': port({ published: '9090' }),
  'ports.[].target': port({ target: 81 }),
  privileged: web({ privileged: true }),
  read_only: web({ read_only: true }),
  restart: web({ restart: 'always' }),
  scale: web({ scale: 2 }),
  ...fileUse('secrets'),
  ...fileUse('configs'),
  'security_opt.[]': web({ security_opt: ['no-new-privileges'] }),
  shm_size: web({ shm_size: '1000000' }),
  stdin_open: web({ stdin_open: true }),
  stop_grace_period: web({ stop_grace_period: '3s' }),
  stop_signal: web({ stop_signal: 'SIGINT' }),
  sysctls: web({ sysctls: { 'net.core.somaxconn': '9' } }),
  'tmpfs.[]': web({ tmpfs: ['/t'] }),
  tty: web({ tty: true }),
  'ulimits.*.soft': web({ ulimits: { nofile: { soft: 1, hard: 9 } } }, { ulimits: { nofile: { soft: 2, hard: 9 } } }),
  'ulimits.*.hard': web({ ulimits: { nofile: { soft: 1, hard: 8 } } }, { ulimits: { nofile: { soft: 1, hard: 9 } } }),
  user: web({ user: '1000' }),
  userns_mode: same({ userns_mode: 'host' }),
  uts: web({ uts: 'host' }),
  'volumes.[].type': mount({ type: 'tmpfs' }, { type: 'volume', target: '/t' }),
  'volumes.[].source': mount({ source: '/other' }, bind),
  'volumes.[].target': mount({ target: '/other' }, bind),
  'volumes.[].read_only': mount({ read_only: true }, bind),
  'volumes.[].bind.create_host_path': mount({ bind: { create_host_path: false } }, bind),
  'volumes.[].bind.propagation': mount({ bind: { propagation: 'rslave' } }, bind),
  'volumes.[].bind.recursive': mount({ bind: { recursive: 'disabled' } }, bind),
  'volumes.[].volume.nocopy': mount({ volume: { nocopy: true } }, volume),
  'volumes.[].volume.subpath': mount({ volume: { subpath: 'a' } }, volume),
  'volumes.[].tmpfs.size': mount({ tmpfs: { size: '1000' } }, tmpfs),
  'volumes.[].tmpfs.mode': mount({ tmpfs: { mode: 0o700 } }, tmpfs),
  working_dir: web({ working_dir: '/x' }),
};

const pool = { subnet: '10.9.0.0/24' };

/** By the key of the row, at the top of the file. */
export const topEvidence: Readonly<Record<string, Evidence>> = {
  name: scenes({ project: { name: 'shop' } }, { project: { name: 'other' } }),
  'networks.*.name': network({ name: 'other' }),
  'networks.*.driver': network({ driver: 'overlay' }),
  'networks.*.driver_opts': network({ driver_opts: { 'com.docker.network.driver.mtu': '1400' } }),
  'networks.*.external': network({ external: true }),
  'networks.*.internal': network({ internal: true }),
  'networks.*.enable_ipv4': network({ enable_ipv4: true }, {}, 'same'),
  'networks.*.enable_ipv6': network({ enable_ipv6: true }),
  'networks.*.labels': network({ labels: { a: 'b' } }),
  'networks.*.ipam.driver': network({ ipam: { driver: 'default' } }, {}, 'same'),
  'networks.*.ipam.config.[].subnet': network({ ipam: { config: [pool] } }),
  'networks.*.ipam.config.[].gateway': network({ ipam: { config: [{ ...pool, gateway: '10.9.0.254' }] } }, { ipam: { config: [pool] } }),
  'networks.*.ipam.config.[].ip_range': network({ ipam: { config: [{ ...pool, ip_range: '10.9.0.128/25' }] } }, { ipam: { config: [pool] } }),
  'networks.*.ipam.config.[].aux_addresses': network({ ipam: { config: [{ ...pool, aux_addresses: { printer: '10.9.0.2' } }] } }, { ipam: { config: [pool] } }),
  'volumes.*.name': namedVolume({ name: 'other' }),
  'volumes.*.external': namedVolume({ external: true }),
  'volumes.*.labels': namedVolume({ labels: { a: 'b' } }),
  'volumes.*.driver': namedVolume({ driver: 'local' }, 'same'),
  'volumes.*.driver_opts': namedVolume({ driver_opts: { type: 'tmpfs', device: 'tmpfs' } }),
  ...Object.fromEntries((['secrets', 'configs'] as const).flatMap((section) => [
    [`${section}.*.name`, data(section, { name: 'other' })],
    [`${section}.*.external`, data(section, { external: true })],
    [`${section}.*.labels`, data(section, { labels: { a: 'b' } })],
  ])),
};
