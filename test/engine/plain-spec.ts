import type { ImageConfig } from '../../src/model/container.ts';
import type { ContainerSpec } from '../../src/model/container-spec.ts';

export const plainImage: ImageConfig = { user: '', env: ['LANG=C.UTF-8'], entrypoint: [], cmd: ['sh'], workingDir: '', labels: {}, exposedPorts: [], volumes: [], stopSignal: '', healthcheck: null };

/** A spec that asks for nothing special. */
export function plainSpec(more: Partial<ContainerSpec> = {}): ContainerSpec {
  return {
    name: 'plain', image: 'busybox', platform: null, labels: {}, annotations: {}, entrypoint: null, command: ['sleep', '1000'],
    environment: {}, user: null, groupAdd: [], workingDir: null, tty: false, stdinOpen: false, init: false, hostname: null, domainname: null,
    namespaces: { network: { kind: 'path', path: '/run/netns/x' }, pid: { kind: 'private' }, ipc: { kind: 'private' }, uts: 'private', user: 'host', cgroup: 'private' },
    mounts: [], readOnlyRootfs: false, files: [], devices: [], deviceCgroupRules: [], shmSizeBytes: null, privileged: false, capAdd: [], capDrop: [],
    noNewPrivileges: false, seccomp: { kind: 'default' }, sysctls: {}, ulimits: [], oomScoreAdj: null, oomKillDisable: false,
    resources: { memoryBytes: null, memorySwapBytes: null, memoryReservationBytes: null, nanoCpus: null, cpuShares: null, cpuPeriodUs: null, cpuQuotaUs: null, cpusetCpus: null, cpusetMems: null, pidsMax: null },
    stopSignal: null, stopGraceMs: 10_000, healthcheck: null, logging: { driver: 'local', maxSizeBytes: 20 * 1024 * 1024, maxFiles: 5 },
    ...more,
  };
}
