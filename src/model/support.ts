/**
 * Which keys of the compose language this version honours, and why it refuses the others: one table, from which the command and
 * the deployment refuse (model/refusals.ts), docs/compose-support.md is made and `config --check-target` answers. Paths are
 * below the object; `*` is any name or index. A key that is not here is not of the language: the loader has refused it by then.
 */
export type KeySupport =
  | { readonly kind: 'honoured'; readonly note?: string }
  /** Settled before a deployment by the command itself: there is nothing left of it for a container. */
  | { readonly kind: 'resolved'; readonly by: string }
  /** Honoured for some values; model/support-values.ts knows which. */
  | { readonly kind: 'partly'; readonly reason: string; readonly hint: string }
  /** Without effect here, and harmless so: it is said in a warning. */
  | { readonly kind: 'unheeded'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string };

const honoured: KeySupport = { kind: 'honoured' };
const windowsOnly: KeySupport = { kind: 'refused', reason: 'it is a setting of Windows containers; containers here are Linux containers', hint: 'remove the key' };

function noted(note: string): KeySupport {
  return { kind: 'honoured', note };
}

function resolved(by: string): KeySupport {
  return { kind: 'resolved', by };
}

function partly(reason: string, hint: string): KeySupport {
  return { kind: 'partly', reason, hint };
}

function unheeded(reason: string): KeySupport {
  return { kind: 'unheeded', reason };
}

function refused(reason: string, hint: string): KeySupport {
  return { kind: 'refused', reason, hint };
}

/** The keys of a service: every one of the language. */
export const serviceKeySupport: Readonly<Record<string, KeySupport>> = {
  annotations: honoured,
  attach: noted('read by `up` when it attaches to the logs'),
  blkio_config: refused('limits on block devices are not set yet', 'remove the key; cpus, mem_limit and pids_limit are honoured'),
  build: partly('images are not built yet', 'give the service an `image` that a registry or this machine has'),
  cap_add: honoured,
  cap_drop: honoured,
  cgroup: honoured,
  cgroup_parent: refused('containers are kept below one control group of their own', 'remove the key; limit the services one by one'),
  command: honoured,
  configs: honoured,
  container_name: honoured,
  cpu_count: windowsOnly,
  cpu_percent: windowsOnly,
  cpu_period: honoured,
  cpu_quota: honoured,
  cpu_rt_period: refused('real-time scheduling of control groups exists only in control groups version 1', 'remove the key'),
  cpu_rt_runtime: refused('real-time scheduling of control groups exists only in control groups version 1', 'remove the key'),
  cpu_shares: honoured,
  cpus: honoured,
  cpuset: honoured,
  credential_spec: windowsOnly,
  depends_on: honoured,
  deploy: honoured,
  develop: noted('it has an effect only with `compose watch`, which is not there yet'),
  device_cgroup_rules: honoured,
  devices: partly('devices of the container device interface (CDI) are not known', 'name the device file: `/dev/…:/dev/…:rwm`'),
  dns: honoured,
  dns_opt: honoured,
  dns_search: honoured,
  domainname: honoured,
  entrypoint: honoured,
  env_file: resolved('the loader, into environment'),
  environment: honoured,
  expose: noted('services of a network reach each other on every port'),
  extends: resolved('the loader'),
  external_links: refused('links to containers of other projects are not made', 'put both services on one external network and use `aliases`'),
  extra_hosts: honoured,
  gpus: refused('GPUs are not handed to containers yet', 'pass the device files by `devices`'),
  group_add: honoured,
  healthcheck: honoured,
  hostname: honoured,
  image: honoured,
  init: honoured,
  ipc: partly('an IPC namespace can be private, shareable, the host\'s or a service\'s', 'use private, shareable, host or service:NAME'),
  isolation: windowsOnly,
  label_file: resolved('the loader, into labels'),
  labels: honoured,
  links: noted('the alias is known to the whole network'),
  logging: partly('log drivers are local and none; json-file is taken as local', 'use driver json-file, local or none with max-size and max-file, or remove the key'),
  mac_address: refused('the addresses of links are chosen by the network', 'remove the key'),
  mem_limit: honoured,
  mem_reservation: honoured,
  mem_swappiness: refused('swappiness of control groups exists only in control groups version 1', 'remove the key; memswap_limit is honoured'),
  memswap_limit: honoured,
  models: refused('models are not run yet', 'remove the key and give the endpoint by `environment`'),
  network_mode: partly('the network can be none, host, service:NAME or container:NAME, or the networks of the project', 'use none, host, service:NAME, container:NAME or `networks`'),
  networks: honoured,
  oom_kill_disable: honoured,
  oom_score_adj: honoured,
  pid: partly('a PID namespace can be private, the host\'s or a service\'s', 'use host or service:NAME'),
  pids_limit: honoured,
  platform: honoured,
  ports: honoured,
  post_start: refused('hooks are not run yet', 'do the work in the entrypoint'),
  pre_start: refused('hooks are not run yet', 'use a service of its own and depends_on with service_completed_successfully'),
  pre_stop: refused('hooks are not run yet', 'handle the stop signal in the application'),
  privileged: honoured,
  profiles: resolved('the loader'),
  provider: refused('services of outside providers are not run yet', 'remove the service, or run what it provides as a container'),
  pull_policy: partly('images are neither built nor refreshed by age yet', 'use always, missing, if_not_present or never'),
  pull_refresh_after: refused('images are not refreshed by age yet', 'use pull_policy: always'),
  read_only: honoured,
  restart: honoured,
  runtime: refused('the runtime is chosen by the daemon', 'remove the key'),
  scale: honoured,
  secrets: honoured,
  security_opt: partly('profiles of AppArmor and SELinux are not set, and those of seccomp are not read from files', 'use seccomp=unconfined, no-new-privileges, apparmor=unconfined or label=disable'),
  shm_size: honoured,
  stdin_open: honoured,
  stop_grace_period: honoured,
  stop_signal: honoured,
  storage_opt: refused('the size of a container\'s filesystem is not limited', 'remove the key'),
  sysctls: honoured,
  tmpfs: honoured,
  tty: honoured,
  ulimits: honoured,
  use_api_socket: refused('the daemon\'s socket is not handed to containers', 'bind-mount the socket, knowing that this gives the container the whole machine'),
  user: honoured,
  userns_mode: partly('containers share the host\'s user namespace', 'use host, or remove the key'),
  uts: partly('a UTS namespace can be private or the host\'s', 'use host, or remove the key'),
  volumes: partly('mounts can be volumes, binds and tmpfs', 'use type volume, bind or tmpfs'),
  volumes_from: refused('mounts are not taken over from other containers', 'name the volumes in both services'),
  working_dir: honoured,
};

/** Keys below a service's key that are refused or honoured in part while the key itself is honoured. */
export const serviceSubkeySupport: Readonly<Record<string, KeySupport>> = {
  'deploy.endpoint_mode': partly('a service has no virtual address yet: its name answers with the addresses of its containers', 'use endpoint_mode: dnsrr, or remove the key'),
  'deploy.mode': partly('services are replicated', 'use mode: replicated, or remove the key'),
  'deploy.labels': unheeded('nothing reads labels of a service yet; `labels` are those of its containers'),
  'deploy.placement.preferences': noted('with one node there is nothing to choose'),
  'deploy.resources.reservations.devices': refused('devices are not reserved yet', 'pass the device files by `devices`'),
  'deploy.resources.reservations.generic_resources': refused('generic resources are not counted yet', 'remove the key'),
  'deploy.rollback_config': unheeded('nothing is rolled back by itself yet'),
  'deploy.update_config': unheeded('`up` replaces the containers of a service at once yet, each stopped before its successor starts'),
  'networks.*.driver_opts': refused('options of a driver are not known for a single endpoint', 'remove the key'),
  'networks.*.interface_name': refused('interfaces are named eth0, eth1, … by priority', 'remove the key and order the networks by `priority`'),
  'networks.*.link_local_ips': refused('addresses of the link are not assigned', 'remove the key'),
  'networks.*.mac_address': refused('the addresses of links are chosen by the network', 'remove the key'),
  'volumes.*.bind.selinux': noted('without SELinux there is nothing to relabel'),
  'volumes.*.consistency': noted('it has no meaning on Linux'),
  'ports.*.mode': noted('ingress and host are the same on one node'),
  'ports.*.protocol': partly('protocols are tcp and udp', 'use tcp or udp'),
};

/** Keys at the top of the file, and below its networks, volumes, secrets and configs. */
export const topLevelKeySupport: Readonly<Record<string, KeySupport>> = {
  version: noted('it has no meaning any more'),
  name: honoured,
  include: resolved('the loader'),
  services: honoured,
  networks: honoured,
  volumes: honoured,
  secrets: honoured,
  configs: honoured,
  'networks.*.driver': partly('networks are routed by the daemon; the drivers bridge and overlay are taken as that', 'use driver bridge or overlay, or remove the key; for the host\'s network use `network_mode: host`'),
  'networks.*.driver_opts': partly('this option of the driver is not known', 'use com.docker.network.driver.mtu, or remove the option'),
  'networks.*.enable_ipv4': partly('every network has IPv4 addresses', 'remove the key'),
  'networks.*.ipam.driver': partly('addresses are given by the built-in driver', 'use driver default, or remove the key'),
  'networks.*.ipam.options': refused('options of an address driver are not known', 'remove the key'),
  'volumes.*.driver': partly('volumes are local', 'use driver local, or remove the key'),
  'secrets.*.driver': refused('secrets come from files, the environment or the store', 'use file or environment'),
  'secrets.*.template_driver': refused('secrets are not templates', 'remove the key'),
  'configs.*.template_driver': refused('configs are not templates', 'remove the key; values are filled in by interpolation of `content`'),
  models: refused('models are not run yet', 'remove the key and give the endpoint by `environment`'),
};
