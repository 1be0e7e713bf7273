import { freshHistory, type RestartHistory } from '../cluster/restart.ts';
import type { ContainerInfo } from '../model/container.ts';
import type { TaskDesired } from '../model/objects.ts';

/** What the agent remembers of a task beside its container; kept on disk. */
export type TaskMemory = {
  /** The desire that was last fulfilled: an exited container is started afresh only when a new wish to run comes after it. */
  readonly fulfilled: TaskDesired | null;
  readonly restartCountDone: number;
  /** Restarts by the policy. */
  readonly restarts: number;
  /** The policy has decided that this container stays down. */
  readonly hasGivenUp: boolean;
  /** What the policy goes by. */
  readonly history: RestartHistory;
};

export const freshMemory: TaskMemory = { fulfilled: null, restartCountDone: 0, restarts: 0, hasGivenUp: false, history: freshHistory };

export type StepInput = {
  readonly desired: TaskDesired;
  readonly restartCount: number;
  readonly hasSpec: boolean;
  readonly container: ContainerInfo | null;
  readonly memory: TaskMemory;
  /** A failure that stands until the task's wish changes. */
  readonly isRejected: boolean;
  readonly isRestartPending: boolean;
};

/** The one next operation on a container. Each brings (task, container) closer; `idle` is where they agree. */
export type Step =
  | { readonly kind: 'idle' }
  /** The image alone: all else still belongs to the predecessor. */
  | { readonly kind: 'fetch' }
  | { readonly kind: 'prepare' }
  | { readonly kind: 'start' }
  /** A restart that was asked for: stop, then start, in the same container. */
  | { readonly kind: 'restart' }
  | { readonly kind: 'stop' }
  /** Its process ended by itself: ask the policy. */
  | { readonly kind: 'consider-restart' }
  | { readonly kind: 'remove' }
  | { readonly kind: 'forget' };

/** Pure: the same input gives the same step, so that a step lost to a crash is taken again. */
export function nextStep(input: StepInput): Step {
  const { container, desired } = input;
  // What failed waits for its next attempt, whatever is wished.
  if (input.isRejected && input.isRestartPending) return { kind: 'idle' };
  switch (desired) {
    case 'removed':
      if (container === null) return { kind: 'forget' };
      return isAlive(container) ? { kind: 'stop' } : { kind: 'remove' };
    case 'stopped':
      if (container === null) return prepareIfPossible(input);
      return isAlive(container) ? { kind: 'stop' } : { kind: 'idle' };
    case 'fetched':
      if (container !== null) return isAlive(container) ? { kind: 'stop' } : { kind: 'idle' };
      return input.memory.fulfilled === 'fetched' || input.isRejected || !input.hasSpec ? { kind: 'idle' } : { kind: 'fetch' };
    case 'prepared':
      // Back from running: a dependency is being replaced.
      if (container === null) return prepareIfPossible(input);
      return isAlive(container) ? { kind: 'stop' } : { kind: 'idle' };
    case 'running':
      return stepToRun(input);
  }
}

function stepToRun(input: StepInput): Step {
  const { container, memory } = input;
  if (container === null) return prepareIfPossible(input);
  const wantsRestart = memory.restartCountDone < input.restartCount && memory.fulfilled === 'running';
  if (isAlive(container)) return wantsRestart && !input.isRejected ? { kind: 'restart' } : { kind: 'idle' };
  if (input.isRejected) return { kind: 'idle' };
  if (container.state === 'created' || memory.fulfilled !== 'running' || wantsRestart) return { kind: 'start' };
  return input.isRestartPending || memory.hasGivenUp ? { kind: 'idle' } : { kind: 'consider-restart' };
}

function prepareIfPossible(input: StepInput): Step {
  return input.hasSpec && !input.isRejected ? { kind: 'prepare' } : { kind: 'idle' };
}

export function isAlive(container: ContainerInfo): boolean {
  return container.state === 'running' || container.state === 'paused';
}
