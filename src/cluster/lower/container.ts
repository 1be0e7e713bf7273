import { parseDuration, nanosToMs } from '../../base/duration.ts';
import { ramInBytes } from '../../base/units.ts';
import type { AssignedTask } from '../../model/assignment.ts';
import type { ContainerSpec, DeviceSpec, HealthcheckSpec, LogSpec, NamespaceChoice } from '../../model/container-spec.ts';
import type { Healthcheck, Service } from '../../model/project.ts';
import { lowerLabels } from './labels.ts';
import { lowerFiles, lowerMounts } from './mounts.ts';
import { lowerResources } from './resources.ts';

/** What of the node and of the neighbours a spec depends on. */
export type LowerContext = {
  /** Where the network namespace of this container is; null uses the host's. */
  readonly networkPath: string | null;
  /** The container of another service (`service:x`) or by name (`container:x`); null where there is none. */
  readonly containerIdOf: (choice: string) => string | null;
  readonly volumeName: (volumeId: string) => string | null;
};

const defaultGraceMs = 10_000;
/** Five files of 20 MB: a container that talks can't fill the disk. */
const defaultLog: LogSpec = { driver: 'local', maxSizeBytes: 20_000_000, maxFiles: 5 };

/**
 * A service's definition and a task become what the engine makes. Total: what can't be honoured was refused before.
 * Out: all but /etc/hosts and /etc/resolv.conf, which the agent adds, since they hold what only the node knows.
 */
export function lowerContainer(assigned: AssignedTask, spec: Service, context: LowerContext): ContainerSpec {
  const { task } = assigned;
  const hostname = spec.hostname ?? (spec.network_mode === 'host' || spec.uts === 'host' ? null : task.containerId.slice(0, 12));
  return {
    name: task.containerName,
    image: spec.image ?? '',
    platform: spec.platform ?? null,
    labels: lowerLabels(assigned, spec),
    annotations: spec.annotations ?? {},
    entrypoint: spec.entrypoint,
    command: spec.command,
    environment: Object.fromEntries(Object.entries(spec.environment ?? {}).filter(([, value]) => value !== null)),
    user: spec.user ?? null,
    groupAdd: spec.group_add ?? [],
    workingDir: spec.working_dir ?? null,
    tty: spec.tty ?? false,
    stdinOpen: spec.stdin_open ?? false,
    init: spec.init ?? false,
    hostname,
    domainname: spec.domainname ?? null,
    namespaces: {
      network: context.networkPath === null ? { kind: 'host' } : { kind: 'path', path: context.networkPath },
      pid: namespaceChoice(spec.pid, context),
      ipc: namespaceChoice(spec.ipc, context),
      uts: spec.uts === 'host' ? 'host' : 'private',
      user: 'host',
      cgroup: spec.cgroup === 'host' ? 'host' : 'private',
    },
    mounts: lowerMounts(assigned, spec, context.volumeName),
    readOnlyRootfs: spec.read_only ?? false,
    files: lowerFiles(assigned, spec),
    devices: (spec.devices ?? []).map(lowerDevice),
    deviceCgroupRules: spec.device_cgroup_rules ?? [],
    shmSizeBytes: bytes(spec.shm_size),
    privileged: spec.privileged ?? false,
    capAdd: spec.cap_add ?? [],
    capDrop: spec.cap_drop ?? [],
    noNewPrivileges: securityOption(spec, 'no-new-privileges') !== null && securityOption(spec, 'no-new-privileges') !== 'false',
    seccomp: seccomp(spec),
    sysctls: spec.sysctls ?? {},
    ulimits: Object.entries(spec.ulimits ?? {}).map(([name, limit]) => (typeof limit === 'number' ? { name, soft: limit, hard: limit } : { name, soft: limit.soft ?? limit.hard ?? 0, hard: limit.hard ?? limit.soft ?? 0 })),
    oomScoreAdj: spec.oom_score_adj ?? null,
    oomKillDisable: spec.oom_kill_disable ?? false,
    resources: lowerResources(spec),
    stopSignal: spec.stop_signal ?? null,
    stopGraceMs: durationMs(spec.stop_grace_period) ?? defaultGraceMs,
    healthcheck: spec.healthcheck === undefined ? null : lowerHealthcheck(spec.healthcheck),
    logging: lowerLogging(spec),
  };
}

export function durationMs(text: string | undefined): number | null {
  if (text === undefined) return null;
  const parsed = parseDuration(text);
  return parsed.ok ? nanosToMs(parsed.value) : null;
}

function bytes(text: string | undefined): number | null {
  return text === undefined ? null : Number(text);
}

function namespaceChoice(choice: string | undefined, context: LowerContext): NamespaceChoice {
  if (choice === 'host') return { kind: 'host' };
  if (choice?.startsWith('service:') === true || choice?.startsWith('container:') === true) {
    const containerId = context.containerIdOf(choice);
    if (containerId !== null) return { kind: 'container', containerId };
  }
  return { kind: 'private' };
}

function lowerDevice(device: { readonly source?: string; readonly target?: string; readonly permissions?: string }): DeviceSpec {
  const source = device.source ?? '';
  return { source, target: device.target ?? source, permissions: device.permissions ?? 'rwm' };
}

/** The value after `name=` or `name:`, '' for the bare name, null where it is not given. The last one counts. */
function securityOption(spec: Service, name: string): string | null {
  let found: string | null = null;
  for (const option of spec.security_opt ?? []) {
    if (option === name) found = '';
    else if (option.startsWith(`${name}=`) || option.startsWith(`${name}:`)) found = option.slice(name.length + 1);
  }
  return found;
}

function seccomp(spec: Service): ContainerSpec['seccomp'] {
  const choice = securityOption(spec, 'seccomp');
  if (choice === null || choice === 'builtin') return { kind: 'default' };
  return choice === 'unconfined' ? { kind: 'unconfined' } : { kind: 'profile', json: choice };
}

function lowerHealthcheck(check: Healthcheck): HealthcheckSpec {
  const [word, ...rest] = check.test ?? [];
  const test: HealthcheckSpec['test'] =
    check.disable === true || word === 'NONE'
      ? { kind: 'none' }
      : word === undefined
        ? { kind: 'image' }
        : word === 'CMD-SHELL'
          ? { kind: 'shell', line: rest.join(' ') }
          : { kind: 'exec', argv: word === 'CMD' ? rest : [word, ...rest] };
  return {
    test,
    intervalMs: durationMs(check.interval),
    timeoutMs: durationMs(check.timeout),
    startPeriodMs: durationMs(check.start_period),
    startIntervalMs: durationMs(check.start_interval),
    retries: check.retries ?? null,
  };
}

function lowerLogging(spec: Service): LogSpec {
  const options = spec.logging?.options ?? {};
  const size = options['max-size'] === undefined ? null : ramInBytes(options['max-size']);
  const files = Number(options['max-file'] ?? defaultLog.maxFiles);
  return {
    driver: spec.logging?.driver === 'none' ? 'none' : 'local',
    maxSizeBytes: size !== null && size.ok && size.value > 0 ? size.value : defaultLog.maxSizeBytes,
    maxFiles: Number.isInteger(files) && files > 0 ? files : defaultLog.maxFiles,
  };
}
