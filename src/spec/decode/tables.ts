import { isDict } from '../source/values.ts';
import type { Field, Kind } from './kinds.ts';
import {
  bytes, choice, command, count, deviceCount, duration, environment, fields, flag, healthTest, hosts, leaf, listOf, mapOf, mapping,
  nonZeroDuration, nullableMapOf, number, octalMode, plainMapping, rate, repeatedOptions, shortFloat, sshKeys, struct, text, texts, textsOrNumbers, ulimit,
  unsigned, unsignedOrZero,
} from './kinds.ts';

/** The canonical form of every mapping of the language, keys in the order in which they are printed. Source: the reference's model. */

const uint32Max = 4_294_967_295;
const uint64Max = Number.MAX_SAFE_INTEGER;

const fileReference = struct(fields({ source: text, target: text, uid: text, gid: text, mode: octalMode }));
const ulimits = nullableMapOf(ulimit);

const build = struct(fields({
  context: text, dockerfile: text, dockerfile_inline: text, entitlements: texts, args: environment, provenance: text, sbom: text, ssh: sshKeys,
  labels: mapping, cache_from: texts, cache_to: texts, no_cache: flag, no_cache_filter: texts, additional_contexts: mapping, pull: flag,
  extra_hosts: hosts, isolation: text, network: text, target: text, secrets: listOf(fileReference), shm_size: bytes, tags: texts,
  ulimits, platforms: texts, privileged: flag,
}));

const hookFields: readonly Field[] = [
  { name: 'command', kind: command, jsonAbsent: null },
  ...fields({ image: text, user: text, privileged: flag, working_dir: text, environment, per_replica: flag }),
];
const hook = struct(hookFields);

const develop = struct(fields({
  watch: listOf(struct([
    ...fields({ path: text, action: text, target: text }),
    { name: 'exec', kind: hook, jsonAbsent: { command: null } },
    ...fields({ include: texts, ignore: texts, initial_sync: flag }),
  ])),
}));

const weightDevice = struct([{ name: 'path', kind: text, jsonName: 'Path', jsonAbsent: '' }, { name: 'weight', kind: unsignedOrZero(65535), jsonName: 'Weight', jsonAbsent: 0 }]);
const throttleDevice = listOf(struct([{ name: 'path', kind: text, jsonName: 'Path', jsonAbsent: '' }, { name: 'rate', kind: rate, jsonName: 'Rate', jsonAbsent: '0' }]));
const blkio = struct(fields({
  weight: unsigned(65535), weight_device: listOf(weightDevice), device_read_bps: throttleDevice, device_read_iops: throttleDevice,
  device_write_bps: throttleDevice, device_write_iops: throttleDevice,
}));

const deviceRequest = struct(fields({ capabilities: texts, driver: text, count: deviceCount, device_ids: texts, options: mapping }));
const resource = struct(fields({
  cpus: shortFloat, memory: bytes, pids: count, devices: listOf(deviceRequest),
  generic_resources: listOf(struct(fields({ discrete_resource_spec: struct(fields({ kind: text, value: number })) }))),
}));
const updateConfig = struct(fields({
  parallelism: unsignedOrZero(uint64Max), delay: nonZeroDuration, failure_action: text, monitor: nonZeroDuration, max_failure_ratio: shortFloat, order: text,
}));
const deploy = struct([
  ...fields({ mode: text, replicas: number, labels: mapping, update_config: updateConfig, rollback_config: updateConfig }),
  { name: 'resources', kind: struct(fields({ limits: resource, reservations: resource })), isAlways: true },
  { name: 'restart_policy', kind: struct(fields({ condition: text, delay: duration, max_attempts: unsignedOrZero(uint64Max), window: duration })) },
  { name: 'placement', kind: struct(fields({ constraints: texts, preferences: listOf(struct(fields({ spread: text }))), max_replicas_per_node: unsigned(uint64Max) })), isAlways: true },
  ...fields({ endpoint_mode: text }),
]);

const serviceNetwork = struct(fields({
  aliases: texts, driver_opts: mapping, gw_priority: count, interface_name: text, ipv4_address: text, ipv6_address: text, link_local_ips: texts,
  mac_address: text, priority: count,
}));

const port = struct(fields({ name: text, mode: text, host_ip: text, target: unsigned(uint32Max), published: text, protocol: text, app_protocol: text }));

const mountFields = fields({
  type: text, source: text, target: text, read_only: flag, consistency: text,
  bind: struct(fields({ selinux: text, propagation: text, create_host_path: choice, recursive: text })),
  volume: struct(fields({ labels: mapping, nocopy: flag, subpath: text })),
  tmpfs: struct(fields({ size: bytes, mode: unsigned(uint32Max) })),
  image: struct(fields({ subpath: text })),
});
/** Making the host's folder is a matter of bind mounts; `name:/target:Z` has bind options and is none. */
const mount: Kind = {
  kind: 'struct',
  fields: mountFields,
  finish: (made) => {
    const bind = made['bind'];
    if (made['type'] !== 'bind' && isDict(bind)) delete bind['create_host_path'];
  },
};

const healthcheck = struct(fields({
  test: healthTest, timeout: duration, interval: duration, retries: unsignedOrZero(uint64Max), start_period: duration, start_interval: duration, disable: flag,
}));

/** True where an env file may be missing is said; that it must be there goes without saying. */
const optOut: Kind = leaf((value) => (value === false ? false : undefined));

export const serviceFields: readonly Field[] = [
  ...fields({
    profiles: texts, annotations: mapping, attach: choice, build, develop, blkio_config: blkio, cap_add: texts, cap_drop: texts, cgroup_parent: text,
    cgroup: text, cpu_count: count, cpu_percent: shortFloat, cpu_period: count, cpu_quota: count, cpu_rt_period: count, cpu_rt_runtime: count,
    cpus: shortFloat, cpuset: text, cpu_shares: count,
  }),
  { name: 'command', kind: command, jsonAbsent: null },
  ...fields({
    configs: listOf(fileReference), container_name: text, credential_spec: struct(fields({ config: text, file: text, registry: text })),
    depends_on: mapOf(struct(fields({ condition: text, restart: flag, required: choice }))), deploy, device_cgroup_rules: texts,
    devices: listOf(struct(fields({ source: text, target: text, permissions: text }))), dns: texts, dns_opt: texts, dns_search: texts, domainname: text,
  }),
  { name: 'entrypoint', kind: command, jsonAbsent: null },
  ...fields({
    provider: struct(fields({ type: text, options: repeatedOptions })), environment, env_file: listOf(struct(fields({ path: text, required: optOut, format: text }))),
    expose: textsOrNumbers, extends: struct(fields({ file: text, service: text })), external_links: texts, extra_hosts: hosts, group_add: texts,
    gpus: listOf(deviceRequest), hostname: text, healthcheck, image: text, init: choice, ipc: text, isolation: text, labels: mapping, label_file: texts,
    links: texts, logging: struct(fields({ driver: text, options: mapping })), mem_limit: bytes, mem_reservation: bytes, memswap_limit: bytes,
    mem_swappiness: bytes, mac_address: text, models: nullableMapOf(struct(fields({ endpoint_var: text, model_var: text }))), network_mode: text,
    networks: nullableMapOf(serviceNetwork), oom_kill_disable: flag, oom_score_adj: count, pid: text, pids_limit: count, platform: text,
    ports: listOf(port), privileged: flag, pull_policy: text, read_only: flag, restart: text, runtime: text, scale: number, secrets: listOf(fileReference),
    security_opt: texts, shm_size: bytes, stdin_open: flag, stop_grace_period: duration, stop_signal: text, storage_opt: plainMapping, sysctls: mapping,
    tmpfs: texts, tty: flag, ulimits, use_api_socket: flag, user: text, userns_mode: text, uts: text, volumes: listOf(mount), volumes_from: texts,
    working_dir: text, pre_start: listOf(hook), post_start: listOf(hook), pre_stop: listOf(hook),
  }),
];

const ipam = struct(fields({
  driver: text, config: listOf(struct(fields({ subnet: text, gateway: text, ip_range: text, aux_addresses: mapping }))), options: mapping,
}));
export const networkFields: readonly Field[] = [
  ...fields({ name: text, driver: text, driver_opts: mapping }),
  { name: 'ipam', kind: ipam, isAlways: true },
  ...fields({ external: flag, internal: flag, attachable: flag, labels: mapping, enable_ipv4: choice, enable_ipv6: choice }),
];
export const volumeFields: readonly Field[] = fields({ name: text, driver: text, driver_opts: mapping, external: flag, labels: mapping });
/** NOTE: contents that were read from the environment stay out of what is printed. */
export const fileFields: readonly Field[] = [
  ...fields({ name: text, file: text, environment: text }),
  { name: 'content', kind: text, hiddenBeside: 'environment' },
  ...fields({ external: flag, labels: mapping, driver: text, driver_opts: plainMapping, template_driver: text }),
];
export const modelFields: readonly Field[] = fields({ name: text, model: text, context_size: count, runtime_flags: texts });

/** The top level, in the order of YAML. */
export const projectFields: readonly Field[] = [
  { name: 'name', kind: text },
  { name: 'services', kind: mapOf(struct(serviceFields)), isAlways: true },
  { name: 'networks', kind: mapOf(struct(networkFields)) },
  { name: 'volumes', kind: mapOf(struct(volumeFields)) },
  { name: 'secrets', kind: mapOf(struct(fileFields)) },
  { name: 'configs', kind: mapOf(struct(fileFields)) },
  { name: 'models', kind: mapOf(struct(modelFields)) },
];
