import { AppError } from '../../base/app-error.ts';
import type { ContainerSpec } from '../../model/container-spec.ts';
import type { OciDevice, OciDeviceRule, OciResources, OciRlimit } from './oci-types.ts';

/** A device with its number looked up on the host. */
export type ResolvedDevice = OciDevice & { readonly permissions: string };

/** Docker sets none; a fork bomb in one container must not take the node (CIS 5.29). */
export const defaultPidsMax = 4096;
const cpuPeriodUs = 100_000;
const memoryBytesMin = 6 * 1024 * 1024;

/** null, random, zero and full, urandom, tty and console: what a program may expect. Everything else is denied first. */
const allowedDevices: readonly OciDeviceRule[] = [
  { allow: false, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 3, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 5, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 7, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 8, access: 'rwm' },
  { allow: true, type: 'c', major: 1, minor: 9, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 0, access: 'rwm' },
  { allow: true, type: 'c', major: 5, minor: 2, access: 'rwm' },
  { allow: true, type: 'c', major: 136, access: 'rwm' },
];

export function resources(spec: ContainerSpec, devices: readonly ResolvedDevice[]): OciResources {
  const { memoryBytes, memorySwapBytes, memoryReservationBytes, cpuShares, cpusetCpus, cpusetMems, pidsMax } = spec.resources;
  if (memoryBytes !== null && memoryBytes < memoryBytesMin) refuse(spec, `a memory limit of ${memoryBytes} bytes is below the least, 6 MiB`);
  if (memorySwapBytes !== null && memorySwapBytes !== -1 && memoryBytes !== null && memorySwapBytes < memoryBytes) refuse(spec, 'memory and swap together are less than the memory limit');
  const memory = {
    ...(memoryBytes === null ? {} : { limit: memoryBytes }),
    // NOTE: with a memory limit and no word on swap, Docker allows as much swap again; without a limit, swap alone means nothing.
    ...(memoryBytes === null ? {} : { swap: memorySwapBytes ?? memoryBytes * 2 }),
    ...(memoryReservationBytes === null ? {} : { reservation: memoryReservationBytes }),
    ...(spec.oomKillDisable ? { disableOOMKiller: true } : {}),
  };
  const cpu = {
    ...(cpuShares === null ? {} : { shares: cpuShares }),
    ...cpuQuota(spec),
    ...(cpusetCpus === null ? {} : { cpus: cpusetCpus }),
    ...(cpusetMems === null ? {} : { mems: cpusetMems }),
  };
  const limit = pidsMax === null ? (spec.privileged ? null : defaultPidsMax) : pidsMax <= 0 ? -1 : pidsMax;
  return {
    devices: deviceRules(spec, devices),
    ...(Object.keys(memory).length === 0 ? {} : { memory }),
    ...(Object.keys(cpu).length === 0 ? {} : { cpu }),
    ...(limit === null ? {} : { pids: { limit } }),
  };
}

function cpuQuota(spec: ContainerSpec): { readonly quota?: number; readonly period?: number } {
  const { nanoCpus, cpuQuotaUs, cpuPeriodUs: period } = spec.resources;
  if (nanoCpus !== null && (cpuQuotaUs !== null || period !== null)) refuse(spec, '`cpus` and `cpu_quota`/`cpu_period` are both set');
  // The kernel's least quota is one millisecond.
  if (nanoCpus !== null) return nanoCpus <= 0 ? {} : { quota: Math.max(1000, Math.round((nanoCpus / 1e9) * cpuPeriodUs)), period: cpuPeriodUs };
  return { ...(cpuQuotaUs === null ? {} : { quota: cpuQuotaUs }), ...(period === null ? {} : { period }) };
}

function deviceRules(spec: ContainerSpec, devices: readonly ResolvedDevice[]): OciDeviceRule[] {
  if (spec.privileged) return [{ allow: true, access: 'rwm' }];
  const named = devices.flatMap((device) =>
    device.type === 'p' ? [] : [{ allow: true, type: device.type, major: device.major, minor: device.minor, access: device.permissions }],
  );
  return [...allowedDevices, ...named, ...spec.deviceCgroupRules.map((rule) => deviceRule(spec, rule))];
}

/** `c 1:3 rwm`, `b 8:* r`, `a *:* rwm`. */
function deviceRule(spec: ContainerSpec, rule: string): OciDeviceRule {
  const match = /^([abc]) (\d+|\*):(\d+|\*) ([rwm]{1,3})$/.exec(rule);
  const [, type, major, minor, access] = match ?? [];
  if ((type !== 'a' && type !== 'b' && type !== 'c') || major === undefined || minor === undefined || access === undefined) return refuse(spec, `${JSON.stringify(rule)} is no rule for devices`);
  return { allow: true, type, ...(major === '*' ? {} : { major: Number(major) }), ...(minor === '*' ? {} : { minor: Number(minor) }), access };
}

const rlimitNames = ['as', 'core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'];

/** NOTE: -1 is "unlimited"; the largest whole number that JSON keeps exactly is enough, as the kernel's own infinity is above it. */
const unlimited = Number.MAX_SAFE_INTEGER;

export function rlimits(spec: ContainerSpec): OciRlimit[] {
  return spec.ulimits.map(({ name, soft, hard }) => {
    if (!rlimitNames.includes(name)) refuse(spec, `${JSON.stringify(name)} is no ulimit (${rlimitNames.join(', ')})`);
    const [low, high] = [soft < 0 ? unlimited : soft, hard < 0 ? unlimited : hard];
    if (low > high) refuse(spec, `ulimit ${name}: the soft limit ${soft} is above the hard limit ${hard}`);
    return { type: `RLIMIT_${name.toUpperCase()}`, soft: low, hard: high };
  });
}

/** Kernel settings that are the container's own, given the namespaces it has; every other would change the host. */
export function sysctls(spec: ContainerSpec): Readonly<Record<string, string>> {
  const { network, ipc, uts } = spec.namespaces;
  const ownNetwork = network.kind === 'path';
  for (const name of Object.keys(spec.sysctls)) {
    const isNetwork = name.startsWith('net.') || name.startsWith('net/');
    const isIpc = /^kernel\.(msgmax|msgmnb|msgmni|sem|shmall|shmmax|shmmni|shm_rmid_forced)$/.test(name) || name.startsWith('fs.mqueue.');
    const isUts = name === 'kernel.domainname';
    if ((isNetwork && ownNetwork) || (isIpc && ipc.kind === 'private') || (isUts && uts === 'private')) continue;
    const why = isNetwork ? 'needs a network of its own' : isIpc ? 'needs an ipc namespace of its own' : 'is a setting of the whole host';
    refuse(spec, `sysctl ${name} ${why}`);
  }
  // What Docker grants too, so that ping and low ports need no capability.
  const defaults = ownNetwork ? { 'net.ipv4.ip_unprivileged_port_start': '0', 'net.ipv4.ping_group_range': '0 2147483647' } : {};
  return { ...defaults, ...spec.sysctls };
}

function refuse(spec: ContainerSpec, why: string): never {
  throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${spec.name}: ${why}` });
}
