import { isAppError } from '../base/app-error.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import { decideHello, decideNodeDown, decideReport } from '../cluster/decide/report.ts';
import { assignmentOf, isSameAssignment } from '../cluster/view/assignment.ts';
import type { AgentReport, Assignment } from '../model/assignment.ts';
import type { TaskStatus } from '../model/objects.ts';
import type { ManagerEnd, NodeFacts } from '../wire/session.ts';
import type { Planner } from './planner.ts';
import type { ClusterStore } from './store/store.ts';

const retryMs = 1_000;

/**
 * The sessions of agents: assignments down, reports up. An assignment is sent when something in it has changed, and never before the
 * node's introduction is committed. Reports wait while a write is under way and go out together; none is lost while nobody leads.
 */
export class Dispatch {
  readonly #options: { readonly store: ClusterStore; readonly planner: Planner; readonly clock: Clock; readonly log: Log };
  readonly #sessions = new Map<string, AgentSession>();
  readonly #unsubscribe: readonly (() => void)[];
  #isClosed = false;

  constructor(options: { readonly store: ClusterStore; readonly planner: Planner; readonly clock: Clock; readonly log: Log }) {
    this.#options = options;
    this.#unsubscribe = [
      options.store.onCommit(() => {
        for (const session of this.#sessions.values()) session.push();
      }),
      options.store.onLeadership((leadership) => {
        if (leadership.isLeader) for (const session of this.#sessions.values()) session.resume();
      }),
    ];
  }

  connect(end: ManagerEnd): void {
    let session: AgentSession | null = null;
    end.onMessage((message) => {
      if (message.kind === 'hello') {
        session = new AgentSession({ ...this.#options, end, facts: message.facts });
        this.#sessions.set(message.facts.nodeId, session);
        session.resume();
      } else {
        session?.report(message.report);
      }
    });
    end.onClose(() => {
      if (session === null || this.#isClosed || this.#sessions.get(session.nodeId) !== session) return;
      const { nodeId } = session;
      session.close();
      this.#sessions.delete(nodeId);
      this.#options.planner.submit((view) => ({ changes: decideNodeDown(view, nodeId), answer: null })).catch((error: unknown) => {
        this.#options.log.warn('manager.node-down-not-noted', { node: nodeId, error: String(error) });
      });
    });
  }

  close(): void {
    this.#isClosed = true;
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    for (const session of this.#sessions.values()) session.close();
    this.#sessions.clear();
  }
}

class AgentSession {
  readonly #options: { readonly store: ClusterStore; readonly planner: Planner; readonly clock: Clock; readonly log: Log; readonly end: ManagerEnd; readonly facts: NodeFacts };
  #isIntroduced = false;
  #isSending = false;
  #isClosed = false;
  #statuses = new Map<string, TaskStatus>();
  #removedVolumes = new Set<string>();
  #hostSubnets: readonly string[] | null = null;
  #sent: Assignment | null = null;

  constructor(options: { readonly store: ClusterStore; readonly planner: Planner; readonly clock: Clock; readonly log: Log; readonly end: ManagerEnd; readonly facts: NodeFacts }) {
    this.#options = options;
  }

  get nodeId(): string {
    return this.#options.facts.nodeId;
  }

  report(report: AgentReport): void {
    for (const { taskId, status } of report.tasks) this.#statuses.set(taskId, status);
    for (const id of report.removedVolumes) this.#removedVolumes.add(id);
    if (report.hostSubnets !== undefined) this.#hostSubnets = report.hostSubnets;
    this.resume();
  }

  /** Sends down what the agent has not got yet. */
  push(): void {
    if (!this.#isIntroduced || this.#isClosed) return;
    const assignment = assignmentOf(this.#options.store.view(), this.nodeId);
    if (this.#sent !== null && isSameAssignment(this.#sent, assignment)) return;
    this.#sent = assignment;
    this.#options.end.send({ kind: 'assignment', assignment });
  }

  /** Writes down what the agent has said and is not written yet. */
  resume(): void {
    if (this.#isSending || this.#isClosed) return;
    this.#isSending = true;
    this.#write().catch((error: unknown) => {
      this.#options.log.error('manager.report-lost', { node: this.nodeId, error: String(error) });
    }).finally(() => {
      this.#isSending = false;
    });
  }

  close(): void {
    this.#isClosed = true;
  }

  async #write(): Promise<void> {
    while (!this.#isClosed && (!this.#isIntroduced || this.#statuses.size > 0 || this.#removedVolumes.size > 0 || this.#hostSubnets !== null)) {
      const statuses = this.#statuses;
      const removedVolumes = this.#removedVolumes;
      this.#statuses = new Map();
      this.#removedVolumes = new Set();
      const hostSubnets = this.#hostSubnets;
      this.#hostSubnets = null;
      try {
        await this.#submit({ statuses, removedVolumes, hostSubnets });
      } catch (error) {
        // What was said is said again later, unless it has been overtaken.
        for (const [taskId, status] of statuses) if (!this.#statuses.has(taskId)) this.#statuses.set(taskId, status);
        for (const id of removedVolumes) this.#removedVolumes.add(id);
        this.#hostSubnets ??= hostSubnets;
        if (isAppError(error, 'MANAGER_CLOSED')) return;
        // A defect of a decision is told in the log, and must not silence the node: the next state may be one that it can decide on.
        if (!isAppError(error) || !error.code.startsWith('MANAGER_')) this.#options.log.error('manager.report-not-decided', { node: this.nodeId, error: String(error) });
        this.#options.clock.after(retryMs, () => this.resume(), true);
        return;
      }
    }
  }

  async #submit({ statuses, removedVolumes, hostSubnets }: { readonly statuses: ReadonlyMap<string, TaskStatus>; readonly removedVolumes: ReadonlySet<string>; readonly hostSubnets: readonly string[] | null }): Promise<void> {
    const { planner, facts } = this.#options;
    if (!this.#isIntroduced) {
      await planner.submit((view) => ({ changes: decideHello(view, facts), answer: null }));
      this.#isIntroduced = true;
      this.push();
    }
    if (statuses.size === 0 && removedVolumes.size === 0 && hostSubnets === null) return;
    const tasks = [...statuses].map(([taskId, status]) => ({ taskId, status }));
    await planner.submit((view) => ({ changes: decideReport(view, { nodeId: facts.nodeId, tasks, removedVolumes: [...removedVolumes], ...(hostSubnets === null ? {} : { hostSubnets }) }), answer: null }));
  }
}
