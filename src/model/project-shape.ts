import type {
  BindOptions, BlkioConfig, Build, ConfigSource, CredentialSpec, Dependency, Deploy, Develop, DeviceMapping, DeviceRequest, EnvFile, FileReference, GenericResource, Healthcheck, Hook, Ipam, IpamPool, Logging, Model, Mount,
  Network, Placement, Port, PreStartHook, Project, Provider, Resource, Resources, RestartPolicy, Service, ServiceModel, ServiceNetwork, ThrottleDevice, TmpfsOptions, Ulimit, UpdateConfig, Volume, VolumeOptions, WatchRule, WeightDevice,
} from './project.ts';
import { either, flag, listOf, mapOf, nullable, number, oneOf, optional, partial, type Shape, struct, text, textLike, whole, wholeFrom } from './shape.ts';

/**
 * The canonical application as it comes over the wire. What a value means is looked at later, key by key, where it is known what is
 * honoured (support/); here only that every reader finds the types that it was written for.
 */

/** As the language has them; those of objects that have a name in the kernel or on the disk. */
export const nameShape: Shape<string> = textLike('a name of letters, digits, ".", "_" and "-"', /^[a-zA-Z0-9._-]{1,255}$/);

const texts = listOf(text);
const texts2 = mapOf(text);
const environment = mapOf(nullable(text));
/** Decimal digits; a reader makes a number of it. */
const bytes: Shape<string> = textLike('a number of bytes in digits', /^-?\d{1,19}$/);
const portNumber = wholeFrom(1, 65_535);
const published: Shape<string> = textLike('a port or a range of ports', /^(?:|\d{1,5}(?:-\d{1,5})?)$/);

const ulimit: Shape<Ulimit> = either<number, Exclude<Ulimit, number>>((value) => typeof value === 'number', whole, partial<Exclude<Ulimit, number>>({ soft: whole, hard: whole }));
const ulimits = mapOf(ulimit);
const fileReference: Shape<FileReference> = partial<FileReference>({ source: text, target: text, uid: text, gid: text, mode: text });
const deviceRequest: Shape<DeviceRequest> = partial<DeviceRequest>({ capabilities: texts, driver: text, count: whole, device_ids: texts, options: texts2 });

const build: Shape<Build> = partial<Build>({
  context: text, dockerfile: text, dockerfile_inline: text, entitlements: texts, args: environment, provenance: text, sbom: text, ssh: texts, labels: texts2, cache_from: texts, cache_to: texts, no_cache: flag, no_cache_filter: texts,
  additional_contexts: texts2, pull: flag, extra_hosts: texts, isolation: text, network: text, target: text, secrets: listOf(fileReference), shm_size: bytes, tags: texts, ulimits, platforms: texts, privileged: flag,
});

const hookFields = { command: nullable(texts), user: optional(text), privileged: optional(flag), working_dir: optional(text), environment: optional(environment) };
/** NOTE: the loader reads all hooks by one table, so each may have the keys of the others. */
const anyHook: Shape<PreStartHook> = struct<PreStartHook>({ ...hookFields, image: optional(text), per_replica: optional(flag) });
const hook: Shape<Hook> = anyHook;
const watchRule: Shape<WatchRule> = struct<WatchRule>({
  path: text, action: oneOf('sync', 'rebuild', 'restart', 'sync+restart', 'sync+exec'), target: optional(text), exec: optional(hook), include: optional(texts), ignore: optional(texts), initial_sync: optional(flag),
});
const develop: Shape<Develop> = partial<Develop>({ watch: listOf(watchRule) });

const throttle = listOf(struct<ThrottleDevice>({ path: text, rate: bytes }));
const blkio: Shape<BlkioConfig> = partial<BlkioConfig>({
  weight: whole, weight_device: listOf(struct<WeightDevice>({ path: text, weight: whole })), device_read_bps: throttle, device_read_iops: throttle, device_write_bps: throttle, device_write_iops: throttle,
});

const genericResource: Shape<GenericResource> = partial<GenericResource>({ discrete_resource_spec: struct<NonNullable<GenericResource['discrete_resource_spec']>>({ kind: text, value: number }) });
const resource: Shape<Resource> = partial<Resource>({ cpus: number, memory: bytes, pids: whole, devices: listOf(deviceRequest), generic_resources: listOf(genericResource) });
const updateConfig: Shape<UpdateConfig> = partial<UpdateConfig>({ parallelism: whole, delay: text, failure_action: text, monitor: text, max_failure_ratio: number, order: text });
const deploy: Shape<Deploy> = struct<Deploy>({
  mode: optional(text), replicas: optional(number), labels: optional(texts2), update_config: optional(updateConfig), rollback_config: optional(updateConfig), resources: partial<Resources>({ limits: resource, reservations: resource }),
  restart_policy: optional(partial<RestartPolicy>({ condition: text, delay: text, max_attempts: whole, window: text })),
  placement: partial<Placement>({ constraints: texts, preferences: listOf(partial<NonNullable<Placement['preferences']>[number]>({ spread: text })), max_replicas_per_node: whole }), endpoint_mode: optional(text),
});

const serviceNetwork: Shape<ServiceNetwork> = partial<ServiceNetwork>({
  aliases: texts, driver_opts: texts2, gw_priority: whole, interface_name: text, ipv4_address: text, ipv6_address: text, link_local_ips: texts, mac_address: text, priority: whole,
});
const port: Shape<Port> = struct<Port>({ name: optional(text), mode: optional(text), host_ip: optional(text), target: portNumber, published: optional(published), protocol: optional(text), app_protocol: optional(text) });

const mount: Shape<Mount> = struct<Mount>({
  type: oneOf('bind', 'volume', 'tmpfs', 'cluster', 'npipe', 'image'), source: optional(text), target: optional(text), read_only: optional(flag), consistency: optional(text),
  bind: optional(partial<BindOptions>({ selinux: text, propagation: text, create_host_path: flag, recursive: text })),
  volume: optional(partial<VolumeOptions>({ labels: texts2, nocopy: flag, subpath: text })),
  tmpfs: optional(partial<TmpfsOptions>({ size: bytes, mode: whole })),
  image: optional(partial<NonNullable<Mount['image']>>({ subpath: text })),
});

const healthcheck: Shape<Healthcheck> = partial<Healthcheck>({ test: texts, timeout: text, interval: text, retries: whole, start_period: text, start_interval: text, disable: flag });
const dependency: Shape<Dependency> = struct<Dependency>({ condition: oneOf('service_started', 'service_healthy', 'service_completed_successfully'), restart: optional(flag), required: flag });
const envFile: Shape<EnvFile> = struct<EnvFile>({ path: text, required: optional(flag), format: optional(text) });

const service: Shape<Service> = struct<Service>({
  profiles: optional(texts), annotations: optional(texts2), attach: optional(flag), build: optional(build), develop: optional(develop), blkio_config: optional(blkio), cap_add: optional(texts), cap_drop: optional(texts),
  cgroup_parent: optional(text), cgroup: optional(text), cpu_count: optional(whole), cpu_percent: optional(number), cpu_period: optional(whole), cpu_quota: optional(whole), cpu_rt_period: optional(whole), cpu_rt_runtime: optional(whole),
  cpus: optional(number), cpuset: optional(text), cpu_shares: optional(whole), command: nullable(texts), configs: optional(listOf(fileReference)), container_name: optional(text),
  credential_spec: optional(partial<CredentialSpec>({ config: text, file: text, registry: text })), depends_on: optional(mapOf(dependency, nameShape)), deploy: optional(deploy), device_cgroup_rules: optional(texts),
  devices: optional(listOf(partial<DeviceMapping>({ source: text, target: text, permissions: text }))), dns: optional(texts), dns_opt: optional(texts), dns_search: optional(texts), domainname: optional(text), entrypoint: nullable(texts),
  provider: optional(partial<Provider>({ type: text, options: mapOf(texts) })), environment: optional(environment), env_file: optional(listOf(envFile)), expose: optional(texts),
  extends: optional(partial<NonNullable<Service['extends']>>({ file: text, service: text })), external_links: optional(texts), extra_hosts: optional(texts), group_add: optional(texts), gpus: optional(listOf(deviceRequest)), hostname: optional(text),
  healthcheck: optional(healthcheck), image: optional(text), init: optional(flag), ipc: optional(text), isolation: optional(text), labels: optional(texts2), label_file: optional(texts), links: optional(texts),
  logging: optional(partial<Logging>({ driver: text, options: texts2 })), mem_limit: optional(bytes), mem_reservation: optional(bytes), memswap_limit: optional(bytes), mem_swappiness: optional(bytes), mac_address: optional(text),
  models: optional(mapOf(nullable(partial<ServiceModel>({ endpoint_var: text, model_var: text })), nameShape)), network_mode: optional(text), networks: optional(mapOf(nullable(serviceNetwork), nameShape)), oom_kill_disable: optional(flag),
  oom_score_adj: optional(whole), pid: optional(text), pids_limit: optional(whole), platform: optional(text), ports: optional(listOf(port)), privileged: optional(flag), pull_policy: optional(text), read_only: optional(flag), restart: optional(text),
  runtime: optional(text), scale: optional(number), secrets: optional(listOf(fileReference)), security_opt: optional(texts), shm_size: optional(bytes), stdin_open: optional(flag), stop_grace_period: optional(text), stop_signal: optional(text),
  storage_opt: optional(texts2), sysctls: optional(texts2), tmpfs: optional(texts), tty: optional(flag), ulimits: optional(ulimits), use_api_socket: optional(flag), user: optional(text), userns_mode: optional(text), uts: optional(text),
  volumes: optional(listOf(mount)), volumes_from: optional(texts), working_dir: optional(text), pre_start: optional(listOf(anyHook)), post_start: optional(listOf(hook)), pre_stop: optional(listOf(hook)),
});

const ipam: Shape<Ipam> = partial<Ipam>({ driver: text, config: listOf(partial<IpamPool>({ subnet: text, gateway: text, ip_range: text, aux_addresses: texts2 })), options: texts2 });
const network: Shape<Network> = struct<Network>({
  name: optional(text), driver: optional(text), driver_opts: optional(texts2), ipam, external: optional(flag), internal: optional(flag), attachable: optional(flag), labels: optional(texts2), enable_ipv4: optional(flag), enable_ipv6: optional(flag),
});
const volume: Shape<Volume> = partial<Volume>({ name: text, driver: text, driver_opts: texts2, external: flag, labels: texts2 });
/** NOTE: the loader reads secrets and configs by one table. */
const dataSource: Shape<ConfigSource> = partial<ConfigSource>({ name: text, file: text, environment: text, external: flag, labels: texts2, driver: text, driver_opts: texts2, template_driver: text, content: text });

export const projectShape: Shape<Project> = struct<Project>({
  name: textLike('a project name of small letters, digits, "_" and "-"', /^[a-z0-9][a-z0-9_-]{0,254}$/),
  services: mapOf(service, nameShape),
  networks: optional(mapOf(network, nameShape)),
  volumes: optional(mapOf(volume, nameShape)),
  secrets: optional(mapOf(dataSource, nameShape)),
  configs: optional(mapOf(dataSource, nameShape)),
  models: optional(mapOf(partial<Model>({ name: text, model: text, context_size: whole, runtime_flags: texts }), nameShape)),
});
