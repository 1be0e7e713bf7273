import type { HealthState, ImageConfig } from '../../model/container.ts';
import type { HealthcheckSpec } from '../../model/container-spec.ts';

/** What is run to ask a container how it is, and when. Times in milliseconds. */
export type HealthPolicy = { readonly argv: readonly string[]; readonly intervalMs: number; readonly timeoutMs: number; readonly startPeriodMs: number; readonly startIntervalMs: number; readonly retries: number };

export type HealthCondition = { readonly health: HealthState; readonly failuresInARow: number; readonly hasBeenHealthy: boolean };

const defaults = { intervalMs: 30_000, timeoutMs: 30_000, startPeriodMs: 0, startIntervalMs: 5_000, retries: 3 } as const;
const shell = '/bin/sh';

/** The spec's check, what it leaves open from the image's, and Docker's defaults for the rest. null: none is asked for. */
export function healthPolicy(spec: HealthcheckSpec | null, image: ImageConfig['healthcheck']): HealthPolicy | null {
  const argv = probeArgv(spec, image);
  if (argv === null) return null;
  const pick = (key: keyof typeof defaults): number => {
    const own = spec?.[key] ?? null;
    if (own !== null && own > 0) return own;
    const fromImage = image?.[key] ?? 0;
    return fromImage > 0 ? fromImage : defaults[key];
  };
  return { argv, intervalMs: pick('intervalMs'), timeoutMs: pick('timeoutMs'), startPeriodMs: pick('startPeriodMs'), startIntervalMs: pick('startIntervalMs'), retries: pick('retries') };
}

function probeArgv(spec: HealthcheckSpec | null, image: ImageConfig['healthcheck']): readonly string[] | null {
  const test = spec?.test ?? { kind: 'image' as const };
  switch (test.kind) {
    case 'none':
      return null;
    case 'exec':
      return test.argv.length === 0 ? null : test.argv;
    case 'shell':
      return [shell, '-c', test.line];
    case 'image': {
      const [kind, ...rest] = image?.test ?? [];
      if (kind === 'CMD' && rest.length > 0) return rest;
      return kind === 'CMD-SHELL' && rest[0] !== undefined ? [shell, '-c', rest[0]] : null;
    }
  }
}

/**
 * What a probe's result makes of a container. Within the start period failures don't count, until it was healthy once;
 * one success makes it healthy, `retries` failures in a row unhealthy.
 */
export function afterProbe(before: HealthCondition, isSuccess: boolean, facts: { readonly sinceStartMs: number; readonly policy: HealthPolicy }): HealthCondition {
  if (isSuccess) return { health: 'healthy', failuresInARow: 0, hasBeenHealthy: true };
  if (!before.hasBeenHealthy && facts.sinceStartMs < facts.policy.startPeriodMs) return before;
  const failuresInARow = before.failuresInARow + 1;
  return { ...before, failuresInARow, health: failuresInARow >= facts.policy.retries ? 'unhealthy' : before.health };
}

/** How long to wait for the next probe: quicker steps while it is still starting up. */
export function nextProbeMs(condition: HealthCondition, facts: { readonly sinceStartMs: number; readonly policy: HealthPolicy }): number {
  const { policy, sinceStartMs } = facts;
  const isStarting = condition.health === 'starting' && sinceStartMs < policy.startPeriodMs;
  return isStarting ? Math.min(policy.startIntervalMs, policy.intervalMs) : policy.intervalMs;
}
