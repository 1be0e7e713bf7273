import type { ContainerResources } from '../../model/container-spec.ts';
import type { Service } from '../../model/project.ts';

/** Limits of the service; those below `deploy.resources.limits` win, as in Compose. -1 means no limit. */
export function lowerResources(spec: Service): ContainerResources {
  const limits = spec.deploy?.resources.limits;
  const reservations = spec.deploy?.resources.reservations;
  const cpus = limits?.cpus ?? spec.cpus;
  return {
    memoryBytes: limit(limits?.memory ?? spec.mem_limit),
    memorySwapBytes: spec.memswap_limit === undefined ? null : Number(spec.memswap_limit),
    memoryReservationBytes: limit(reservations?.memory ?? spec.mem_reservation),
    nanoCpus: cpus === undefined || cpus === 0 ? null : Math.round(cpus * 1e9),
    cpuShares: positive(spec.cpu_shares),
    cpuPeriodUs: positive(spec.cpu_period),
    cpuQuotaUs: positive(spec.cpu_quota),
    cpusetCpus: spec.cpuset ?? null,
    cpusetMems: null,
    pidsMax: pids(limits?.pids ?? spec.pids_limit),
  };
}

function limit(text: string | undefined): number | null {
  const value = text === undefined ? 0 : Number(text);
  return value > 0 ? value : null;
}

function positive(value: number | undefined): number | null {
  return value === undefined || value <= 0 ? null : value;
}

/** -1 is what the language says for none; the engine's own default stands where nothing is said. */
function pids(value: number | undefined): number | null {
  return value === undefined || value === 0 ? null : value;
}
