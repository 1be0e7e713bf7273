import { parseCidr, parseIp } from '../../base/cidr.ts';
import { ramInBytes } from '../../base/units.ts';
import { bound, fitting, honoured, oneOf, refused, unheeded, type ValueRule, type Verdict } from './table.ts';

/** Annotations that steer the low-level runtime are for it alone. The engine leaves them out: see engine/container/oci-spec.ts. */
export const annotationRule: ValueRule = fitting(
  'all but those that steer the runtime (`run.oci.…`)',
  (value) => isRecord(value) && Object.keys(value).every((name) => !/^(?:run\.oci\.|io\.katacontainers|krun|module\.wasm|org\.criu)/.test(name)),
  ['annotations that steer the low-level runtime are not handed to it', 'remove those that begin with run.oci., io.katacontainers, krun, module.wasm or org.criu'],
);

export const buildRule: ValueRule = {
  words: 'beside an `image`, which is fetched',
  check: (_value, { service }) =>
    service?.image === undefined || service.image === ''
      ? refused('images are not built yet', 'give the service an `image` that a registry or this machine has')
      : unheeded(`images are not built yet; ${service.image} is fetched`),
};

export const pullPolicyRule: ValueRule = {
  words: '`always` `missing` `if_not_present` `never`',
  check: (value) => {
    const text = String(value);
    const hint = 'use always, missing, if_not_present or never';
    if (/^(always|missing|if_not_present|never)$/.test(text)) return honoured;
    if (text === 'build') return refused('build: images are not built yet', hint);
    return refused(/^(daily|weekly|every_.+)$/.test(text) ? `${text}: images are not refreshed by age yet` : `${text}: this policy is not known`, hint);
  },
};

export const restartRule: ValueRule = fitting(
  '`no` `always` `unless-stopped` `on-failure[:count]`',
  (value) => /^(no|always|unless-stopped|on-failure(:\d+)?)$/.test(String(value)),
  ['this policy is not known', 'use no, always, unless-stopped or on-failure[:count]'],
);

export const networkModeRule: ValueRule = {
  words: '`none` `host` `bridge` (the default network of the project) `service:…`; on a laptop also `container:…`',
  check: (value, { target }) => {
    const mode = String(value);
    const hint = 'use none, host, service:NAME, container:NAME or `networks`';
    if (mode === 'none' || mode === 'bridge' || mode === 'default') return honoured;
    if (mode === 'host') return target === 'laptop' ? honoured : bound('the service uses the network of the node it runs on: two copies can\'t share a port');
    if (mode.startsWith('service:')) return target === 'laptop' ? honoured : bound('both services must run on the same node');
    if (mode.startsWith('container:') && target === 'laptop') return honoured;
    return refused(`${mode}: the network can be none, host, service:NAME or container:NAME on the same node, or the networks of the project`, hint);
  },
};

/** A published port needs links of the container's own. */
export const portsRule: ValueRule = {
  words: 'not beside `network_mode` none, host, service or container',
  check: (_value, { service }) => {
    const mode = service?.network_mode ?? '';
    if (mode === 'host') return unheeded('with the host\'s network every port of the service is the host\'s');
    if (mode !== 'none' && !mode.startsWith('service:') && !mode.startsWith('container:')) return honoured;
    return refused(`with network_mode ${mode} the service has no links of its own`, mode === 'none' ? 'remove the ports, or network_mode' : 'publish the ports at the service whose network is shared');
  },
};

export const pidRule: ValueRule = {
  words: '`host` `private` `service:…`',
  check: (value, { target }) => {
    const text = String(value);
    if (text === 'host' || text === 'private') return honoured;
    if (text.startsWith('service:')) return target === 'laptop' ? honoured : bound('both services must run on the same node');
    return refused(`${text}: a PID namespace can be private, the host's or a service's`, 'use host or service:NAME');
  },
};

export const securityOptionRule: ValueRule = fitting(
  '`seccomp=unconfined` `seccomp={…}` `no-new-privileges` `apparmor=unconfined` `label=disable`',
  (value) => {
    const [name = '', option] = String(value).split(/[:=](.*)/s);
      if (name === 'seccomp') return option === 'unconfined' || option === 'builtin' || option?.trimStart().startsWith('{') === true;
    if (name === 'no-new-privileges') return option === undefined || option === '' || option === 'true' || option === 'false';
    if (name === 'apparmor') return option === 'unconfined';
    return name === 'label' && option === 'disable';
  },
  ['profiles of AppArmor and SELinux are not set, and those of seccomp are not read from files', 'use seccomp=unconfined, no-new-privileges, apparmor=unconfined or label=disable'],
);

export const deviceRule: ValueRule = fitting(
  'a path on the host',
  (value) => String(value).startsWith('/'),
  ['devices of the container device interface (CDI) are not known', 'name the device file: `/dev/…:/dev/…:rwm`'],
);

/** A log line holds its time, its stream and its text: nothing else is written to it. */
const logOptions: readonly string[] = ['max-size', 'max-file', 'mode', 'compress', 'max-buffer-size', 'tag', 'labels', 'labels-regex', 'env', 'env-regex'];

export const logOptionsRule: ValueRule = {
  words: '`max-size` `max-file`; without effect, and told: `mode: non-blocking`, `compress`, `tag`, `labels`, `env`',
  check: (value, { parent }) => {
    // Of another driver: that is refused, and its options with it.
    if (isRecord(parent) && !['', 'local', 'json-file', 'none'].includes(String(parent['driver'] ?? ''))) return honoured;
    const idle: string[] = [];
    for (const [name, text] of isRecord(value) ? Object.entries(value) : []) {
      const size = name === 'max-size' ? ramInBytes(String(text)) : null;
      if (size !== null && (!size.ok || size.value <= 0)) return refused(`max-size ${String(text)} is no size`, 'write it as 10m');
      if (name === 'max-file' && !/^[1-9]\d{0,5}$/.test(String(text))) return refused(`max-file ${String(text)} is no count`, 'write it as "3"');
      if (!logOptions.includes(name)) return refused(`the option ${name} is not known`, 'use max-size and max-file, or remove the option');
      if (name === 'mode' && String(text) !== 'blocking') idle.push('output waits for the log, so that none is lost');
      if (name === 'compress' && String(text) !== 'false') idle.push('logs are not compressed');
      if (['tag', 'labels', 'labels-regex', 'env', 'env-regex'].includes(name)) idle.push(`${name}: a line holds its time and its text alone`);
    }
    return idle.length === 0 ? honoured : unheeded(idle.join('; '));
  },
};

/** A setting of one kind of mount at a mount of that kind. NOTE: the short form `data:/data:z` puts `bind.selinux` at a volume. */
export function mountOptionsRule(type: string): ValueRule {
  return {
    words: `at a mount of type ${type}; elsewhere it is without effect, and told`,
    check: (value, { parent }) => {
      const isOwn = isRecord(parent) && parent['type'] === type;
      return isOwn || (isRecord(value) && Object.keys(value).every((key) => key === 'selinux')) ? honoured : unheeded(`it belongs to mounts of type ${type}`);
    },
  };
}

/** As mountOptionsRule; and what is to be read-only all the way down must be so at its top, and get no mounts from elsewhere. */
export const bindRule: ValueRule = {
  words: `${mountOptionsRule('bind').words}; \`recursive: readonly\` beside \`read_only: true\``,
  check: (value, place) => {
    const { parent } = place;
    if (isRecord(value) && value['recursive'] === 'readonly' && isRecord(parent) && parent['type'] === 'bind') {
      if (parent['read_only'] !== true) return refused('recursive: readonly is for read-only mounts', 'add `read_only: true` to the mount');
      if (value['propagation'] !== undefined && value['propagation'] !== '' && value['propagation'] !== 'rprivate') return refused(`with propagation ${String(value['propagation'])} mounts below can come later and be writable`, 'use propagation: rprivate');
    }
    return mountOptionsRule('bind').check(value, place);
  },
};

export const mountTypeRule: ValueRule = {
  words: '`volume` `bind` `tmpfs`',
  check: (value, { target }) => {
    const type = String(value);
    if (type === 'volume' || type === 'tmpfs') return honoured;
    if (type === 'bind') return target === 'laptop' ? honoured : bound('the path must exist on every node the service may run on');
    return refused(`${type}: mounts can be volumes, binds and tmpfs`, 'use type volume, bind or tmpfs');
  },
};

export const cpusRule: ValueRule = fitting(
  'not beside `cpu_quota` or `cpu_period`',
  (_value, { service }) => (service?.cpu_quota ?? 0) === 0 && (service?.cpu_period ?? 0) === 0,
  ['cpus and cpu_quota/cpu_period say the same thing twice', 'keep one of them'],
);

const limitNames: readonly string[] = ['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'];

export const limitsRule: ValueRule = {
  words: `\`${limitNames.join('` `')}\``,
  check: (value) => {
    const unknown = Object.keys(isRecord(value) ? value : {}).find((name) => !limitNames.includes(name));
    return unknown === undefined ? honoured : refused(`${unknown}: the kernel has no limit of this name`, 'use names as nofile and nproc');
  },
};

/** Settings of the kernel that are the container's own, given the namespaces it has. As in engine/container/oci-resources.ts. */
export const sysctlsRule: ValueRule = {
  words: '`net.…`, `fs.mqueue.…`, those of System V IPC, `kernel.domainname`: what the container has of its own',
  check: (value, { service }) => {
    const foreign = Object.keys(isRecord(value) ? value : {}).find((name) => {
      if (/^net[./]/.test(name)) return service?.network_mode === 'host';
      if (/^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/.test(name) || name.startsWith('fs.mqueue.')) return service?.ipc === 'host';
      return name !== 'kernel.domainname' || service?.uts === 'host';
    });
    return foreign === undefined ? honoured : refused(`${foreign}: this is a setting of the host, not of the container`, 'set it on the host: sysctl -w');
  },
};

const signalPattern = /^(SIG)?(HUP|INT|QUIT|ILL|TRAP|ABRT|BUS|FPE|KILL|USR1|SEGV|USR2|PIPE|ALRM|TERM|STKFLT|CHLD|CONT|STOP|TSTP|TTIN|TTOU|URG|XCPU|XFSZ|VTALRM|PROF|WINCH|IO|PWR|SYS|RTMIN(\+\d{1,2})?|RTMAX(-\d{1,2})?|[1-9]|[1-5]\d|6[0-4])$/i;

/** A container with a signal that nobody knows could not be stopped. */
export const signalRule: ValueRule = fitting('a signal of Linux', (value) => signalPattern.test(String(value)), ['this is no signal', 'write it as SIGTERM, TERM or 15']);

export const deviceAccessRule: ValueRule = fitting('`c 1:3 rwm`', (value) => /^[abc] (\d+|\*):(\d+|\*) [rwm]{1,3}$/.test(String(value)), ['this is no rule for devices', 'write it as c 1:3 rwm']);

export const memoryRule: ValueRule = fitting('6 MiB and more', (value) => Number(value) <= 0 || Number(value) >= 6 * 1024 * 1024, ['a container needs 6 MiB of memory', 'write it as 64m']);

export const addressRule: ValueRule = fitting('addresses', (value) => parseIp(String(value)) !== null, ['this is no address', 'write an address as 10.0.0.53']);

export const publishedRule: ValueRule = fitting(
  'a port or a range, 1 to 65535; none or 0: any free one',
  (value) => {
    const [first = '', last = first] = String(value).split('-');
    return String(value) === '0' || (Number(first) >= 1 && Number(first) <= Number(last) && Number(last) <= 65_535);
  },
  ['a published port is from 1 to 65535, and a range begins with its lower end', 'write it as 8080 or 8000-8010'],
);

export const fileOwnerRule: ValueRule = fitting('numbers', (value) => /^\d{1,10}$/.test(String(value)), ['owners of files are given by number', 'write the number of the user or group']);

export const macRule: ValueRule = fitting(
  'an address of one interface',
  (value) => /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i.test(String(value)),
  ['this is no hardware address of one interface', 'write it as 02:42:ac:11:00:02; the first byte is even'],
);

export const interfaceNameRule: ValueRule = {
  words: 'up to 15 letters, digits, `_` `.` `-`; each once',
  check: (value, { service }) => {
    const name = String(value);
    if (!/^[a-zA-Z0-9_.-]{1,15}$/.test(name) || name === 'lo' || name === '.' || name === '..') return refused(`${name}: this is no name for an interface`, 'use up to 15 letters and digits, as eth0');
    const uses = Object.values(service?.networks ?? {}).filter((one) => one?.interface_name === name).length;
    return uses < 2 ? honoured : refused(`${name}: two networks of the service ask for this interface`, 'give each another name');
  },
};

/** Containers of a service are replaced all at the same time, each stopped first. What asks for just that is honoured, the rest is told. */
export const updateRule: ValueRule = {
  words: 'on a laptop what `up` does: `order: stop-first`, no rollback, one copy or `parallelism: 0`; the rest is without effect, and told',
  check: (value, { target, service }) => {
    if (target === 'cluster' || !isRecord(value)) return honoured;
    const replicas = service?.scale ?? service?.deploy?.replicas ?? 1;
    const isDone = (value['order'] ?? 'stop-first') === 'stop-first' && value['failure_action'] !== 'rollback' && (replicas <= 1 || value['parallelism'] === 0);
    return isDone ? honoured : unheeded('`up` replaces the containers of a service at once yet, each stopped before its successor starts, and rolls nothing back');
  },
};

export const endpointModeRule: ValueRule = {
  words: '`dnsrr` `vip`; on a laptop `vip` is without effect, and told',
  check: (value, { target }) => {
    if (value === 'dnsrr' || (value === 'vip' && target === 'cluster')) return honoured;
    if (value === 'vip') return unheeded('a service has no virtual address yet: its name answers with the addresses of its containers');
    return refused(`${String(value)}: this mode is not known`, 'use endpoint_mode: dnsrr, or remove the key');
  },
};

/** One container on each node is one container where there is one node. */
export const modeRule: ValueRule = {
  words: '`replicated` `global`; on a cluster also `replicated-job` `global-job`',
  check: (value, { target, service }) => {
    if (value === 'replicated' || (target === 'cluster' && ['replicated-job', 'global-job'].includes(String(value)))) return honoured;
    if (value !== 'global') return refused(`${String(value)}: services are replicated or global`, 'use mode: replicated, or remove the key');
    const replicas = service?.scale ?? service?.deploy?.replicas ?? 1;
    return replicas === 1 ? honoured : refused(`global: one container on each node, and ${replicas} are asked for`, 'remove the number of replicas, or use mode: replicated');
  },
};

/** Options of a network that mean something here, or ask for what every network has. */
export const networkOptionsRule: ValueRule = {
  words: '`com.docker.network.driver.mtu`, `encrypted`, and what every network has (`enable_icc: true`, `enable_ip_masquerade: true`)',
  check: (value) => {
    let idle: Verdict = honoured;
    for (const [name, text] of isRecord(value) ? Object.entries(value) : []) {
      const verdict = networkOption(name, String(text));
      if (verdict.kind === 'refused') return verdict;
      if (verdict.kind === 'unheeded') idle = verdict;
    }
    return idle;
  },
};

function networkOption(name: string, text: string): Verdict {
  switch (name) {
    case 'com.docker.network.driver.mtu':
      return /^\d{2,5}$/.test(text) && Number(text) >= 68 && Number(text) <= 65_535 ? honoured : refused(`${name} ${text}: this is no size of a packet`, 'name 68 to 65535 bytes, as 1450');
    case 'com.docker.network.bridge.enable_icc':
      return text === 'true' ? honoured : refused('members of a network reach each other', 'put services that must not meet on networks of their own');
    case 'com.docker.network.bridge.enable_ip_masquerade':
      return text === 'true' ? honoured : refused('what leaves a network has the address of the host', 'remove the option; internal: true closes the network');
    case 'com.docker.network.bridge.name':
      return unheeded('networks are routed, there is no bridge to name');
    // Between containers of one node nothing leaves it.
    case 'encrypted':
      return honoured;
    default:
      return refused(`the option ${name} is not known: networks are routed, there is no bridge`, 'use com.docker.network.driver.mtu, or remove the option');
  }
}

/** One pool of each family, whose range is a part of its own subnet. */
export const poolsRule: ValueRule = {
  words: 'one pool of each family',
  check: (value) => {
    const pools = (Array.isArray(value) ? value : []).filter(isRecord);
    const families = pools.map((pool) => (pool['subnet'] === undefined ? null : (parseCidr(String(pool['subnet']))?.family ?? 4)));
    for (const family of [4, 6]) {
      if (families.filter((one) => one === family).length > 1) return refused(`a network has one subnet of version ${family}`, 'keep one, or make two networks');
    }
    const homeless = pools.find((pool, index) => families[index] === null && ['gateway', 'ip_range', 'aux_addresses'].some((key) => pool[key] !== undefined));
    if (homeless !== undefined) return refused('a gateway, range or address is given without the subnet it is of', 'name the subnet beside it');
    const ranged = pools.find((pool, index) => families[index] === 6 && pool['ip_range'] !== undefined);
    return ranged === undefined ? honoured : refused('a range of version 6 is not kept: an address there follows from that of version 4', 'remove ip_range from the pool of version 6');
  },
};

export const volumeOptionsRule: ValueRule = fitting(
  '`type` `o` `device`',
  (value) => isRecord(value) && Object.keys(value).every((name) => ['type', 'o', 'device'].includes(name)),
  ['the local driver knows the options type, o and device', 'remove the others'],
);

export const enabledRule: ValueRule = oneOf(['true'], 'every network has IPv4 addresses', 'remove the key');

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
