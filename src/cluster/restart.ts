import { nanosToMs, parseDuration } from '../base/duration.ts';
import type { Service } from '../model/project.ts';

/** What is to happen when a container's process has ended by itself. */
export type RestartPolicy = {
  readonly condition: 'no' | 'on-failure' | 'always' | 'unless-stopped';
  /** null: without end. */
  readonly attemptsMax: number | null;
  /** A fixed wait; null: the back-off. */
  readonly delayMs: number | null;
  /** A run of at least this makes the attempt a success, and the count begins anew; null: the count only grows. */
  readonly windowMs: number | null;
};

/** What is remembered of a container's restarts between two of them. */
export type RestartHistory = {
  /** Restarts that count against `attemptsMax`. */
  readonly attempts: number;
  /** Runs in a row that were too short to be healthy: the exponent of the back-off. */
  readonly shortRuns: number;
};

export const freshHistory: RestartHistory = { attempts: 0, shortRuns: 0 };

/** Docker's figures: 100 ms, doubled up to a minute, anew after a run of 10 s. */
const backoffFirstMs = 100;
const backoffMaxMs = 60_000;
const healthyRunMs = 10_000;
const jitterShare = 0.1;

/**
 * `deploy.restart_policy` wins over `restart`, as in Compose. Without either nothing is restarted.
 * Source: Compose spec, `restart` and `deploy.restart_policy`.
 */
export function restartPolicyOf(spec: Pick<Service, 'restart' | 'deploy'>): RestartPolicy {
  const policy = spec.deploy?.restart_policy;
  if (policy !== undefined) {
    return {
      condition: conditionOf(policy.condition ?? 'any'),
      attemptsMax: policy.max_attempts === undefined || policy.max_attempts === 0 ? null : policy.max_attempts,
      delayMs: durationMs(policy.delay),
      windowMs: durationMs(policy.window),
    };
  }
  const [name = 'no', count] = (spec.restart ?? 'no').split(':');
  const attempts = Number(count ?? 0);
  return { condition: conditionOf(name), attemptsMax: attempts > 0 ? attempts : null, delayMs: null, windowMs: null };
}

export type RestartDecision = { readonly delayMs: number; readonly history: RestartHistory };

/**
 * Whether and when a container is started again whose process has ended by itself; null: it stays down.
 * In: `jitter` in [0,1), so that a hundred containers that fell together don't rise together. Units: milliseconds.
 */
export function decideRestart(input: {
  readonly policy: RestartPolicy;
  readonly exitCode: number;
  readonly ranMs: number;
  readonly history: RestartHistory;
  readonly jitter: number;
}): RestartDecision | null {
  const { policy, history } = input;
  if (policy.condition === 'no') return null;
  if (policy.condition === 'on-failure' && input.exitCode === 0) return null;
  const attempts = policy.windowMs !== null && input.ranMs >= policy.windowMs ? 0 : history.attempts;
  if (policy.attemptsMax !== null && attempts >= policy.attemptsMax) return null;
  const shortRuns = input.ranMs >= healthyRunMs ? 0 : history.shortRuns;
  const backoffMs = Math.min(backoffFirstMs * 2 ** Math.min(shortRuns, 20), backoffMaxMs);
  const baseMs = policy.delayMs ?? backoffMs;
  return {
    delayMs: Math.round(baseMs * (1 + jitterShare * input.jitter)),
    history: { attempts: attempts + 1, shortRuns: shortRuns + 1 },
  };
}

/** True where a reboot of the node brings the container back, as Docker does: `wasAlive` when the node went down. */
export function comesBackAfterReboot(policy: RestartPolicy, wasAlive: boolean): boolean {
  if (policy.condition === 'always') return true;
  return policy.condition !== 'no' && wasAlive;
}

function conditionOf(text: string): RestartPolicy['condition'] {
  switch (text) {
    case 'any':
    case 'always':
      return 'always';
    case 'on-failure':
    case 'unless-stopped':
      return text;
    default:
      return 'no';
  }
}

function durationMs(text: string | undefined): number | null {
  if (text === undefined) return null;
  const nanos = parseDuration(text);
  return nanos.ok && nanos.value > 0n ? nanosToMs(nanos.value) : null;
}
