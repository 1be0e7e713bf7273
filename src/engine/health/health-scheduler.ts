import type { Clock } from '../../base/clock.ts';
import type { HealthState } from '../../model/container.ts';
import type { Entry } from '../container/entry.ts';
import type { ExecSession } from '../engine.ts';
import { afterProbe, healthPolicy, nextProbeMs } from './health-policy.ts';
import type { HealthCondition, HealthPolicy } from './health-policy.ts';

/** Asks containers how they are, each in its own rhythm; one probe of a container at a time. */
export type HealthScheduler = { readonly watch: (entry: Entry) => void; readonly unwatch: (entry: Entry) => void; readonly close: () => void };

const logLinesMax = 5;
const outputBytesMax = 4096;
const timedOut = -1;

type Watch = { readonly policy: HealthPolicy; condition: HealthCondition; cancel: () => void; readonly stop: AbortController };

export function healthScheduler(options: {
  readonly clock: Clock;
  readonly probe: (entry: Entry, argv: readonly string[], signal: AbortSignal) => Promise<ExecSession>;
  readonly onChange: (entry: Entry, health: HealthState) => void;
}): HealthScheduler {
  const { clock } = options;
  const watches = new Map<string, Watch>();

  const sinceStart = (entry: Entry): number => clock.nowMs() - (entry.state.run?.startedMs ?? clock.nowMs());

  const schedule = (entry: Entry, watch: Watch): void => {
    watch.cancel = clock.after(
      nextProbeMs(watch.condition, { sinceStartMs: sinceStart(entry), policy: watch.policy }),
      () => {
        void probeOnce(entry, watch).then(() => {
          if (!watch.stop.signal.aborted) schedule(entry, watch);
        });
      },
      true,
    );
  };

  const probeOnce = async (entry: Entry, watch: Watch): Promise<void> => {
    const startedMs = clock.nowMs();
    const result = await runProbe(entry, watch);
    if (watch.stop.signal.aborted) return;
    entry.healthLog = [...entry.healthLog, { startedMs, endedMs: clock.nowMs(), ...result }].slice(-logLinesMax);
    watch.condition = afterProbe(watch.condition, result.exitCode === 0, { sinceStartMs: startedMs - (entry.state.run?.startedMs ?? startedMs), policy: watch.policy });
    if (watch.condition.health === entry.health) return;
    entry.health = watch.condition.health;
    options.onChange(entry, entry.health);
  };

  const runProbe = async (entry: Entry, watch: Watch): Promise<{ readonly exitCode: number; readonly output: string }> => {
    const over = new AbortController();
    const stopped = (): void => over.abort();
    watch.stop.signal.addEventListener('abort', stopped, { once: true });
    let isLate = false;
    const cancel = clock.after(watch.policy.timeoutMs, () => {
      isLate = true;
      over.abort();
    }, true);
    try {
      const session = await options.probe(entry, watch.policy.argv, over.signal);
      let output = '';
      session.onOutput((_, chunk) => {
        if (output.length < outputBytesMax) output = (output + Buffer.from(chunk).toString('utf8')).slice(0, outputBytesMax);
      });
      const exitCode = await session.exitCode;
      return isLate ? { exitCode: timedOut, output: `Health check exceeded timeout (${watch.policy.timeoutMs} ms)` } : { exitCode, output: session.failure()?.message ?? output };
    } catch (error) {
      return { exitCode: timedOut, output: error instanceof Error ? error.message : String(error) };
    } finally {
      cancel();
      watch.stop.signal.removeEventListener('abort', stopped);
    }
  };

  const unwatch = (entry: Entry): void => {
    const watch = watches.get(entry.id);
    watches.delete(entry.id);
    watch?.cancel();
    watch?.stop.abort();
  };

  return {
    watch: (entry) => {
      unwatch(entry);
      const policy = healthPolicy(entry.spec.healthcheck, entry.state.image.config.healthcheck);
      if (policy === null) {
        entry.health = 'none';
        return;
      }
      // A container that was adopted keeps what was known of it.
      const known = entry.health === 'healthy' || entry.health === 'unhealthy' ? entry.health : 'starting';
      entry.health = known;
      const watch: Watch = { policy, condition: { health: known, failuresInARow: known === 'unhealthy' ? policy.retries : 0, hasBeenHealthy: known === 'healthy' }, cancel: () => undefined, stop: new AbortController() };
      watches.set(entry.id, watch);
      schedule(entry, watch);
    },
    unwatch,
    close: () => {
      for (const watch of watches.values()) {
        watch.cancel();
        watch.stop.abort();
      }
      watches.clear();
    },
  };
}
