import type { ImageConfig } from '../../model/container.ts';
import type { ContainerSpec } from '../../model/container-spec.ts';
import { resolveCapabilities } from './capabilities.ts';
import { baseMounts, canBeReadOnlyBelow, userMounts } from './oci-mounts.ts';
import type { ResolvedMount } from './oci-mounts.ts';
import { resources, rlimits, sysctls } from './oci-resources.ts';
import type { ResolvedDevice } from './oci-resources.ts';
import type { OciConfig, OciLinux, OciMount, OciNamespace, OciSeccomp } from './oci-types.ts';
import { commandLine, environment, workingDir } from './process.ts';
import { defaultProfile } from './seccomp/default-profile.ts';
import { compileSeccomp, parseSeccompProfile } from './seccomp/profile.ts';
import type { KernelVersion, SeccompArch } from './seccomp/profile.ts';
import type { ResolvedUser } from './user.ts';

/** What was looked up on the host for one container. */
export type OciFacts = {
  readonly id: string;
  readonly rootfs: string;
  readonly cgroupsPath: string;
  readonly user: ResolvedUser;
  readonly mounts: readonly ResolvedMount[];
  readonly devices: readonly ResolvedDevice[];
  /** Paths of namespaces that are joined. */
  readonly joined: { readonly pid?: string; readonly ipc?: string };
  readonly machine: MachineFacts;
};

export type MachineFacts = {
  readonly arch: SeccompArch;
  readonly kernel: KernelVersion;
  readonly lastCapability: number;
  readonly grantable: bigint;
  /** Paths below /sys that tell of or steer the hardware and exist here. */
  readonly hardwarePaths: readonly string[];
};

/** Where the small init is mounted when a container asks for one. */
export const initTarget = '/sbin/docker-init';
const defaultShmBytes = 64 * 1024 * 1024;

const maskedPaths: readonly string[] = [
  '/proc/acpi', '/proc/asound', '/proc/interrupts', '/proc/kcore', '/proc/keys', '/proc/latency_stats', '/proc/sched_debug', '/proc/scsi',
  '/proc/timer_list', '/proc/timer_stats', '/sys/devices/virtual/powercap', '/sys/firmware',
];
/** NOTE: /sys/fs/cgroup must not be here: the runtime would bind it over itself and the hierarchies below would come back writable. */
const readonlyPaths: readonly string[] = ['/proc/bus', '/proc/fs', '/proc/irq', '/proc/sys', '/proc/sysrq-trigger'];

/**
 * Builds the runtime's document from the spec, the image and what was looked up. Pure: the same input gives the same text.
 * Errors: ENGINE_CONTAINER_SPEC, ENGINE_SECCOMP_PROFILE.
 * Source: OCI runtime-spec 1.0.2, config.md and config-linux.md.
 */
export function buildOciConfig(spec: ContainerSpec, image: ImageConfig, facts: OciFacts): OciConfig {
  const argv = commandLine(spec, image);
  const capabilities = resolveCapabilities({ add: spec.capAdd, drop: spec.capDrop, privileged: spec.privileged, lastCapability: facts.machine.lastCapability, grantable: facts.machine.grantable });
  const hostname = containerHostname(spec, facts.id);
  return {
    ociVersion: '1.0.2',
    process: {
      terminal: spec.tty,
      user: { uid: facts.user.uid, gid: facts.user.gid, additionalGids: facts.user.additionalGids },
      args: spec.init ? [initTarget, '--', ...argv] : argv,
      env: environment(spec, image, { hostname, home: facts.user.home }),
      cwd: workingDir(spec.workingDir, image),
      capabilities: capabilitySets(capabilities, facts.user.uid),
      rlimits: rlimits(spec),
      noNewPrivileges: spec.noNewPrivileges,
      ...(spec.oomScoreAdj === null ? {} : { oomScoreAdj: spec.oomScoreAdj }),
    },
    root: { path: facts.rootfs, readonly: spec.readOnlyRootfs },
    ...(spec.namespaces.uts === 'private' ? { hostname } : {}),
    ...(spec.namespaces.uts === 'private' && spec.domainname !== null ? { domainname: spec.domainname } : {}),
    mounts: mounts(spec, facts),
    annotations: annotations(spec),
    linux: linux(spec, facts, capabilities),
  };
}

/** The host name the processes see: the first twelve characters of the id unless the file says otherwise. */
export function containerHostname(spec: Pick<ContainerSpec, 'hostname'>, id: string): string {
  return spec.hostname ?? id.slice(0, 12);
}

/**
 * A user other than root has none in force but may regain those of the bounding set through a setuid program; none are
 * inheritable (CVE-2022-27650), so a file capability alone gives nothing more.
 */
export function capabilitySets(capabilities: readonly string[], uid: number): OciConfig['process']['capabilities'] {
  const own = uid === 0 ? capabilities : [];
  return { bounding: capabilities, effective: own, permitted: own, inheritable: [], ambient: [] };
}

/** The filter for a container's processes; also for those that enter it later. */
export function seccompFor(spec: Pick<ContainerSpec, 'seccomp' | 'privileged'>, capabilities: readonly string[], machine: MachineFacts): OciSeccomp | null {
  if (spec.privileged && spec.seccomp.kind === 'default') return null;
  switch (spec.seccomp.kind) {
    case 'unconfined':
      return null;
    case 'default':
      return defaultFilter(capabilities, machine);
    case 'profile':
      return compileSeccomp(parseSeccompProfile(spec.seccomp.json), { capabilities, arch: machine.arch, kernel: machine.kernel });
  }
}

/** One value for all containers with these capabilities; few sets of them are in use. */
function defaultFilter(capabilities: readonly string[], { arch, kernel }: MachineFacts): OciSeccomp {
  const key = [arch, kernel.major, kernel.minor, ...capabilities].join(' ');
  const filter = defaultFilters.get(key) ?? compileSeccomp(defaultProfile, { capabilities, arch, kernel });
  if (defaultFilters.size >= defaultFiltersMax) defaultFilters.clear();
  defaultFilters.set(key, filter);
  return filter;
}

const defaultFilters = new Map<string, OciSeccomp>();
const defaultFiltersMax = 64;

function mounts(spec: ContainerSpec, facts: OciFacts): OciMount[] {
  const { ipc, network, pid } = spec.namespaces;
  const users = userMounts(facts.mounts, canBeReadOnlyBelow(facts.machine.kernel));
  const replaced = new Set(users.map((one) => one.destination));
  const base = baseMounts({
    shmSizeBytes: spec.shmSizeBytes ?? defaultShmBytes,
    privileged: spec.privileged,
    ipc: ipc.kind === 'host' ? 'host' : ipc.kind === 'private' ? 'private' : 'joined',
    hostNetwork: network.kind === 'host',
    hostPid: pid.kind === 'host',
  });
  // NOTE: /dev is never the image's and never a user's: an old runtime makes device nodes through it.
  return [...base.filter((one) => !replaced.has(one.destination) || one.destination === '/dev' || one.destination === '/proc'), ...users];
}

function linux(spec: ContainerSpec, facts: OciFacts, capabilities: readonly string[]): OciLinux {
  const seccomp = seccompFor(spec, capabilities, facts.machine);
  return {
    namespaces: namespaces(spec, facts),
    cgroupsPath: facts.cgroupsPath,
    resources: resources(spec, facts.devices),
    devices: facts.devices.map(({ path, type, major, minor, fileMode, uid, gid }) => ({ path, type, major, minor, fileMode, uid, gid })),
    sysctl: sysctls(spec),
    ...(seccomp === null ? {} : { seccomp }),
    maskedPaths: spec.privileged ? [] : [...maskedPaths, ...facts.machine.hardwarePaths],
    readonlyPaths: spec.privileged ? [] : readonlyPaths,
    ...rootPropagation(facts.mounts),
  };
}

/** A mount that is to propagate needs a root that lets it. */
function rootPropagation(resolved: readonly ResolvedMount[]): { readonly rootfsPropagation?: string } {
  const wanted = resolved.flatMap((one) => (one.kind === 'bind' ? [one.propagation] : []));
  if (wanted.some((one) => one === 'shared' || one === 'rshared')) return { rootfsPropagation: 'shared' };
  return wanted.some((one) => one === 'slave' || one === 'rslave') ? { rootfsPropagation: 'slave' } : {};
}

function namespaces(spec: ContainerSpec, facts: OciFacts): OciNamespace[] {
  const { network, pid, ipc, uts, cgroup } = spec.namespaces;
  const own: OciNamespace[] = [{ type: 'mount' }];
  if (network.kind === 'path') own.push({ type: 'network', path: network.path });
  if (pid.kind === 'private') own.push({ type: 'pid' });
  else if (facts.joined.pid !== undefined) own.push({ type: 'pid', path: facts.joined.pid });
  if (ipc.kind === 'private') own.push({ type: 'ipc' });
  else if (facts.joined.ipc !== undefined) own.push({ type: 'ipc', path: facts.joined.ipc });
  if (uts === 'private') own.push({ type: 'uts' });
  if (cgroup === 'private') own.push({ type: 'cgroup' });
  return own;
}

/** Annotations that steer a runtime are for it alone: neither an image nor a file may set them. */
function annotations(spec: ContainerSpec): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(spec.annotations).filter(([name]) => !/^(?:run\.oci\.|io\.katacontainers|krun|module\.wasm|org\.criu)/.test(name)));
}
