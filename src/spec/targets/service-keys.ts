import { bound, honoured, no, oneOf, refused, some, tied, yes } from './target.ts';
import type { KeyRow, ValueRule } from './target.ts';

/** A device by its path, not by the name of a device interface (`vendor/class=name`). */
const plainDevice: ValueRule = {
  words: 'a path on the host',
  check: (value) => (String(value).includes('=') ? refused('devices by their vendor and class are not supported: name the path below /dev') : honoured),
};

const securityOptions: ValueRule = oneOf(
  ['seccomp=unconfined', 'seccomp:unconfined', 'no-new-privileges', 'no-new-privileges:true', 'no-new-privileges:false', 'no-new-privileges=true', 'no-new-privileges=false'],
  'only seccomp=unconfined and no-new-privileges are known; profiles of SELinux and AppArmor are the host\'s',
);

const networkModes: ValueRule = {
  words: '`none` `host` `bridge` `service:…`',
  check: (value, target) => {
    const mode = String(value);
    if (mode === 'none' || mode === 'bridge') return honoured;
    if (mode === 'host') return target === 'laptop' ? honoured : bound('the service uses the network of the node it runs on: two copies can\'t share a port');
    if (mode.startsWith('service:')) return target === 'laptop' ? honoured : bound('both services must run on the same node');
    return refused(`${mode}: only none, host, bridge and service:<name> are known; join a network instead`);
  },
};

const mountTypes: ValueRule = {
  words: '`volume` `bind` `tmpfs`',
  check: (value, target) => {
    const type = String(value);
    if (type === 'volume' || type === 'tmpfs') return honoured;
    if (type === 'bind') return target === 'laptop' ? honoured : bound('the path must exist on every node the service may run on');
    return refused(`mounts of type ${type} are not supported yet`);
  },
};

/** The keys of a service. What a key here does not name below itself is as the key. */
export const serviceKeys: readonly KeyRow[] = [
  ...yes('annotations', 'attach', 'cap_add', 'cap_drop', 'command', 'configs', 'cpu_shares', 'cpus', 'depends_on', 'dns', 'dns_opt', 'dns_search', 'domainname'),
  ...yes('entrypoint', 'env_file', 'environment', 'expose', 'extends', 'extra_hosts', 'group_add', 'healthcheck', 'hostname', 'image', 'init', 'label_file', 'labels', 'links'),
  ...yes('mem_limit', 'mem_reservation', 'memswap_limit', 'networks', 'oom_score_adj', 'pids_limit', 'platform', 'ports', 'privileged', 'profiles', 'read_only', 'restart', 'scale'),
  ...yes('secrets', 'shm_size', 'stdin_open', 'stop_grace_period', 'stop_signal', 'sysctls', 'tmpfs', 'tty', 'ulimits', 'user', 'volumes', 'working_dir'),
  ...tied('a node has its own processors: the numbers must mean the same everywhere', 'cpuset'),
  ...tied('the name allows only one copy in the whole cluster', 'container_name'),
  ...tied('the device must exist on every node the service may run on', 'devices'),
  some('devices.[].source', plainDevice),
  some('ipc', oneOf(['host', 'private', 'shareable', 'none'], 'sharing another container\'s memory is not supported yet', [])),
  some('pid', oneOf(['host'], 'sharing another container\'s processes is not supported yet')),
  some('uts', oneOf(['host'], 'only host is known')),
  some('userns_mode', oneOf(['host'], 'only host is known')),
  some('network_mode', networkModes),
  some('security_opt', securityOptions),
  some('pull_policy', oneOf(['always', 'never', 'missing', 'if_not_present'], 'fetching by age and building are not supported yet: use always or missing')),
  some('volumes.[].type', mountTypes),
  some('ports.[].mode', oneOf(['ingress', 'host'], 'only ingress and host are known')),
  ...no('how mounts spread can\'t be set yet', 'volumes.[].bind.propagation', 'volumes.[].bind.recursive'),
  ...no('a folder inside a volume can\'t be mounted alone yet', 'volumes.[].volume.subpath'),
  ...no('addresses are given by Flotilla: use the service\'s name, or an alias', 'networks.*.ipv4_address', 'networks.*.ipv6_address', 'networks.*.link_local_ips', 'networks.*.mac_address', 'mac_address'),
  ...no('interfaces can\'t be named or tuned yet', 'networks.*.interface_name', 'networks.*.driver_opts', 'networks.*.gw_priority', 'networks.*.priority'),
  ...no('images are not built yet: build and push it with another tool, and name it with "image"', 'build'),
  ...no('it has an effect only while developing with "watch", which comes later', 'develop'),
  ...no('language models are not run yet', 'models'),
  ...no('programs that manage a service instead of a container are not called', 'provider'),
  ...no('graphics processors can\'t be handed out yet', 'gpus'),
  ...no('it exists on Windows only', 'credential_spec', 'cpu_count', 'cpu_percent', 'isolation'),
  ...no('Flotilla chooses the low-level runtime', 'runtime'),
  ...no('the storage of containers has no options', 'storage_opt'),
  ...no('the engine\'s socket is not given to containers this way: mount it, knowing what that allows', 'use_api_socket'),
  ...no('name the volumes of both services instead', 'volumes_from'),
  ...no('containers outside the application are reached over an external network', 'external_links'),
  ...no('limits on disks can\'t be set yet', 'blkio_config'),
  ...no('Flotilla places control groups itself', 'cgroup', 'cgroup_parent', 'device_cgroup_rules'),
  ...no('use "cpus"', 'cpu_period', 'cpu_quota'),
  ...no('real-time scheduling is not supported', 'cpu_rt_period', 'cpu_rt_runtime'),
  ...no('the kernel no longer offers it (control groups, version 2)', 'mem_swappiness', 'oom_kill_disable'),
  ...no('Flotilla keeps the logs itself: see "flotilla logs"', 'logging'),
  ...no('commands around start and stop are not run yet', 'pre_start', 'post_start', 'pre_stop'),
  ...no('images are not fetched by age yet', 'pull_refresh_after'),
  ...yes('deploy', 'deploy.replicas', 'deploy.resources', 'deploy.resources.limits', 'deploy.restart_policy'),
  some('deploy.mode', oneOf(['replicated'], 'only replicated services are run yet')),
  ...yes('deploy.resources.reservations.memory', 'deploy.resources.reservations.cpus'),
  ...no('devices can\'t be reserved yet', 'deploy.resources.reservations.devices', 'deploy.resources.reservations.generic_resources'),
  ...no('updates one by one come with the cluster', 'deploy.update_config', 'deploy.rollback_config'),
  ...no('choosing nodes comes with the cluster', 'deploy.placement'),
  ...no('labels of the service, unlike those of its containers, come with the cluster', 'deploy.labels'),
  some('deploy.endpoint_mode', oneOf(['vip'], 'only vip is known yet')),
];
