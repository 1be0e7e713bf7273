import type { TaskStatus } from '../model/objects.ts';
import type { AgentEnd } from '../wire/session.ts';

/**
 * Gathers what changed and sends it as one message a turn of the loop, so that ten containers that start together are one
 * entry of the log, not thirty.
 */
export class Reporter {
  readonly #session: AgentEnd;
  readonly #nodeId: string;
  readonly #defer: (callback: () => void) => void;
  readonly #last = new Map<string, TaskStatus>();
  readonly #changed = new Set<string>();
  readonly #forgotten = new Set<string>();
  #removedVolumes: string[] = [];
  #hostSubnets: readonly string[] | null = null;
  #isScheduled = false;
  #isOpen = false;

  constructor(options: { readonly session: AgentEnd; readonly nodeId: string; readonly defer: (callback: () => void) => void }) {
    this.#session = options.session;
    this.#nodeId = options.nodeId;
    this.#defer = options.defer;
  }

  /** Nothing is sent before the node has introduced itself: nobody would know whose report it is. */
  open(): void {
    this.#isOpen = true;
    if (this.#changed.size > 0 || this.#removedVolumes.length > 0 || this.#hostSubnets !== null) this.#schedule();
  }

  tell(taskId: string, status: TaskStatus): void {
    const before = this.#last.get(taskId);
    if (before !== undefined && isSame(before, status)) return;
    this.#last.set(taskId, status);
    this.#changed.add(taskId);
    this.#schedule();
  }

  tellVolumeRemoved(id: string): void {
    this.#removedVolumes.push(id);
    this.#schedule();
  }

  tellHostSubnets(subnets: readonly string[]): void {
    this.#hostSubnets = subnets;
    this.#schedule();
  }

  /** What was told last is still sent; then nothing is kept of the task. */
  forget(taskId: string): void {
    if (this.#changed.has(taskId)) this.#forgotten.add(taskId);
    else this.#last.delete(taskId);
  }

  /** A manager that has just come to lead may not have heard: everything is told again. */
  tellAll(): void {
    for (const taskId of this.#last.keys()) this.#changed.add(taskId);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isScheduled || !this.#isOpen) return;
    this.#isScheduled = true;
    this.#defer(() => this.#flush());
  }

  #flush(): void {
    this.#isScheduled = false;
    const tasks = [...this.#changed].sort().flatMap((taskId) => {
      const status = this.#last.get(taskId);
      return status === undefined ? [] : [{ taskId, status }];
    });
    this.#changed.clear();
    for (const taskId of this.#forgotten) this.#last.delete(taskId);
    this.#forgotten.clear();
    const removedVolumes = this.#removedVolumes;
    this.#removedVolumes = [];
    const hostSubnets = this.#hostSubnets;
    this.#hostSubnets = null;
    if (tasks.length === 0 && removedVolumes.length === 0 && hostSubnets === null) return;
    this.#session.send({ kind: 'report', report: { nodeId: this.#nodeId, tasks, removedVolumes, ...(hostSubnets === null ? {} : { hostSubnets }) } });
  }
}

function isSame(a: TaskStatus, b: TaskStatus): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
