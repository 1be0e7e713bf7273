import { clusterOnly, no, noted, oneOf, settled, settledOnLaptop, some, tied, yes, type KeyRow } from './table.ts';
import {
  addressRule, annotationRule, bindRule, buildRule, cpusRule, deviceAccessRule, deviceRule, endpointModeRule, fileOwnerRule, interfaceNameRule, limitsRule, logOptionsRule, macRule, memoryRule, modeRule, mountOptionsRule, mountTypeRule,
  networkModeRule, pidRule, portsRule, publishedRule, pullPolicyRule, restartRule, securityOptionRule, signalRule, sysctlsRule, updateRule,
} from './values.ts';
import { extraHostRule, hostNameRule, networkNameRule, resolverWordRule, targetRule, tmpfsRule, workingDirRule } from './words.ts';

const windows = ['it is a setting of Windows containers; containers here are Linux containers', 'remove the key'] as const;
const versionOne = ['it exists only in version 1 of the kernel\'s control groups', 'remove the key'] as const;

const deploy: readonly KeyRow[] = [
  ...yes('deploy', 'deploy.replicas', 'deploy.resources', 'deploy.resources.limits', 'deploy.resources.limits.pids'),
  ...some(cpusRule, 'deploy.resources.limits.cpus'),
  ...some(modeRule, 'deploy.mode'),
  ...some(endpointModeRule, 'deploy.endpoint_mode'),
  ...clusterOnly('nothing reads labels of a service yet; `labels` are those of its containers', 'deploy.labels'),
  ...yes('deploy.resources.reservations', 'deploy.resources.reservations.cpus', 'deploy.resources.reservations.memory'),
  ...no('devices are not reserved yet', 'pass the device files by `devices`', 'deploy.resources.reservations.devices'),
  ...no('generic resources are not counted yet', 'remove the key', 'deploy.resources.reservations.generic_resources'),
  ...yes('deploy.restart_policy', 'deploy.restart_policy.delay', 'deploy.restart_policy.max_attempts', 'deploy.restart_policy.window'),
  ...some(oneOf(['none', 'on-failure', 'any', 'always', 'unless-stopped'], 'this condition is not known', 'use none, on-failure or any'), 'deploy.restart_policy.condition'),
  ...yes('deploy.placement', 'deploy.placement.constraints', 'deploy.placement.preferences', 'deploy.placement.preferences.[].spread', 'deploy.placement.max_replicas_per_node'),
  ...some(updateRule, 'deploy.update_config'),
  ...settledOnLaptop('the rule of `deploy.update_config`', ...['parallelism', 'delay', 'failure_action', 'monitor', 'max_failure_ratio', 'order'].map((key) => `deploy.update_config.${key}`)),
  ...clusterOnly('nothing is rolled back by itself yet', 'deploy.rollback_config'),
];

const networking: readonly KeyRow[] = [
  ...noted('the name allows one copy', 'container_name'),
  ...yes('dns_opt', 'dns_search', 'extra_hosts', 'dns'),
  ...some(hostNameRule, 'hostname', 'domainname'),
  ...some(extraHostRule, 'extra_hosts.[]'),
  ...some(resolverWordRule, 'dns_opt.[]', 'dns_search.[]'),
  ...some(addressRule, 'dns.[]'),
  ...noted('the alias is known to the whole network', 'links'),
  ...some(networkNameRule, 'links.[]', 'networks.*.aliases.[]'),
  ...settled('services of a network reach each other on every port', 'expose'),
  ...some(networkModeRule, 'network_mode'),
  ...some(macRule, 'mac_address', 'networks.*.mac_address'),
  ...yes('networks', 'networks.*.aliases', 'networks.*.ipv4_address', 'networks.*.ipv6_address', 'networks.*.priority', 'networks.*.gw_priority'),
  ...some(interfaceNameRule, 'networks.*.interface_name'),
  ...no('options of a driver are not known for a single endpoint', 'remove the key', 'networks.*.driver_opts'),
  ...no('addresses of the link are not assigned', 'remove the key', 'networks.*.link_local_ips'),
  ...some(portsRule, 'ports'),
  ...some(addressRule, 'ports.[].host_ip'),
  ...some(oneOf(['tcp', 'udp'], 'protocols are tcp and udp', 'use tcp or udp'), 'ports.[].protocol'),
  ...yes('ports.[].target'),
  ...some(publishedRule, 'ports.[].published'),
  ...settledOnLaptop('what it means: on one node ingress and host are the same', 'ports.[].mode'),
  ...settled('what it is: a word for people and tools, it changes nothing', 'ports.[].name', 'ports.[].app_protocol'),
  ...no('links to containers of other projects are not made', 'put both services on one external network and use `aliases`', 'external_links'),
];

const mounts: readonly KeyRow[] = [
  ...yes('volumes', 'volumes.[].source', 'volumes.[].read_only', 'tmpfs'),
  ...some(targetRule, 'volumes.[].target'),
  ...some(tmpfsRule, 'tmpfs.[]'),
  ...some(mountTypeRule, 'volumes.[].type'),
  ...settled('what it means: nothing on Linux', 'volumes.[].consistency'),
  ...some(bindRule, 'volumes.[].bind'),
  ...yes('volumes.[].bind.create_host_path'),
  ...some(oneOf(['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'], 'this is no propagation of a mount', 'use rprivate, rshared or rslave'), 'volumes.[].bind.propagation'),
  ...some(oneOf(['enabled', 'disabled', 'writable', 'readonly'], 'this says nothing of the mounts below', 'use enabled, disabled, writable or readonly'), 'volumes.[].bind.recursive'),
  ...settled('what it means: containers have no SELinux label, so that nothing has to be given another', 'volumes.[].bind.selinux'),
  ...some(mountOptionsRule('volume'), 'volumes.[].volume'),
  ...yes('volumes.[].volume.nocopy', 'volumes.[].volume.subpath'),
  ...no('labels are a matter of the volume, not of its use', 'write them under the top-level `volumes`', 'volumes.[].volume.labels'),
  ...some(mountOptionsRule('tmpfs'), 'volumes.[].tmpfs'),
  ...yes('volumes.[].tmpfs.size', 'volumes.[].tmpfs.mode'),
  ...no('images are not mounted', 'use type volume or bind', 'volumes.[].image'),
  ...yes(...['configs', 'secrets'].flatMap((key) => [key, `${key}.[].source`, `${key}.[].target`, `${key}.[].mode`])),
  ...some(fileOwnerRule, ...['configs', 'secrets'].flatMap((key) => [`${key}.[].uid`, `${key}.[].gid`])),
  ...tied('the device must exist on every node the service may run on', 'devices'),
  ...some(deviceRule, 'devices.[].source'),
  ...yes('devices.[].target', 'devices.[].permissions', 'device_cgroup_rules'),
  ...some(deviceAccessRule, 'device_cgroup_rules.[]'),
  ...no('mounts are not taken over from other containers', 'name the volumes in both services', 'volumes_from'),
];

const resources: readonly KeyRow[] = [
  ...yes('cpu_period', 'cpu_quota', 'cpu_shares', 'mem_reservation', 'memswap_limit', 'pids_limit', 'oom_score_adj', 'shm_size', 'ulimits.*.soft', 'ulimits.*.hard'),
  ...some(limitsRule, 'ulimits'),
  ...some(sysctlsRule, 'sysctls'),
  ...some(memoryRule, 'mem_limit', 'deploy.resources.limits.memory'),
  ...some(cpusRule, 'cpus'),
  ...tied('a node has its own processors: the numbers must mean the same everywhere', 'cpuset'),
  ...no(...versionOne, 'cpu_rt_period', 'cpu_rt_runtime', 'mem_swappiness', 'oom_kill_disable'),
  ...no(...windows, 'cpu_count', 'cpu_percent', 'credential_spec'),
  ...some(oneOf(['default'], windows[0], windows[1]), 'isolation'),
  ...no('limits on block devices are not set yet', 'remove the key; cpus, mem_limit and pids_limit are honoured', 'blkio_config'),
  ...no('containers are kept below one control group of their own', 'remove the key; limit the services one by one', 'cgroup_parent'),
  ...no('GPUs are not handed to containers yet', 'pass the device files by `devices`', 'gpus'),
  ...no('the size of a container\'s filesystem is not limited', 'remove the key', 'storage_opt'),
];

const process: readonly KeyRow[] = [
  ...yes('cap_add', 'cap_drop', 'command', 'entrypoint', 'environment', 'group_add', 'image', 'init', 'labels', 'platform', 'privileged', 'read_only', 'stdin_open', 'stop_grace_period', 'tty', 'user'),
  ...some(workingDirRule, 'working_dir'),
  ...some(signalRule, 'stop_signal'),
  ...some(annotationRule, 'annotations'),
  ...some(oneOf(['private', 'host'], 'a control group namespace can be private or the host\'s', 'use private or host'), 'cgroup'),
  ...some(oneOf(['private', 'shareable', 'host'], 'an IPC namespace can be private or the host\'s; sharing a container\'s is not supported yet', 'use private, shareable or host'), 'ipc'),
  ...some(pidRule, 'pid'),
  ...some(oneOf(['host', 'private'], 'a UTS namespace can be private or the host\'s', 'use host, or remove the key'), 'uts'),
  ...some(oneOf(['host'], 'containers share the host\'s user namespace', 'use host, or remove the key'), 'userns_mode'),
  ...yes('security_opt'),
  ...some(securityOptionRule, 'security_opt.[]'),
  ...yes('healthcheck', ...['disable', 'interval', 'retries', 'test', 'timeout', 'start_period', 'start_interval'].map((key) => `healthcheck.${key}`)),
  ...yes('logging'),
  ...some(oneOf(['json-file', 'local', 'none'], 'log drivers are local and none; json-file is taken as local', 'use driver json-file, local or none'), 'logging.driver'),
  ...some(logOptionsRule, 'logging.options'),
  ...no('the runtime is chosen by the daemon', 'remove the key', 'runtime'),
  ...no('the daemon\'s socket is not handed to containers', 'bind-mount the socket, knowing that this gives the container the whole machine', 'use_api_socket'),
];

const life: readonly KeyRow[] = [
  ...settled('`up`, which then does not show its output', 'attach'),
  ...some(buildRule, 'build'),
  ...yes('depends_on', 'depends_on.*.restart', 'depends_on.*.required', 'scale'),
  ...some(oneOf(['service_started', 'service_healthy', 'service_completed_successfully'], 'this condition is not known', 'use service_started, service_healthy or service_completed_successfully'), 'depends_on.*.condition'),
  ...settled('`watch` alone, which this version does not have', 'develop'),
  ...settled('the loader, into `environment`', 'env_file'),
  ...settled('the loader, into `labels`', 'label_file'),
  ...settled('the loader', 'extends', 'profiles'),
  ...some(pullPolicyRule, 'pull_policy'),
  ...some(restartRule, 'restart'),
  ...no('images are not refreshed by age yet', 'use pull_policy: always', 'pull_refresh_after'),
  ...no('hooks are not run yet', 'do the work in the entrypoint', 'post_start'),
  ...no('hooks are not run yet', 'use a service of its own and depends_on with service_completed_successfully', 'pre_start'),
  ...no('hooks are not run yet', 'handle the stop signal in the application', 'pre_stop'),
  ...no('models are not run yet', 'remove the key and give the endpoint by `environment`', 'models'),
  ...no('services of outside providers are not run yet', 'remove the service, or run what it provides as a container', 'provider'),
];

/** The keys of a service, and those below them. */
export const serviceKeys: readonly KeyRow[] = [...deploy, ...networking, ...mounts, ...resources, ...process, ...life];
