import { Draft, type Makers } from '../../src/cluster/decide/draft.ts';
import { decideHello, decideReport } from '../../src/cluster/decide/report.ts';
import { settleAll } from '../../src/cluster/decide/settle.ts';
import { decideStack } from '../../src/cluster/decide/stack.ts';
import { applyEntry } from '../../src/cluster/state/apply.ts';
import { allOf, emptyView, type View } from '../../src/cluster/state/view.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import type { Assignment } from '../../src/model/assignment.ts';
import type { Deployment, DeploymentOptions } from '../../src/model/deployment.ts';
import type { Change, Outcome } from '../../src/model/entry.ts';
import type { TaskDesired, TaskObject, TaskStatus } from '../../src/model/objects.ts';
import type { Service } from '../../src/model/project.ts';

export const node = {
  nodeId: 'node1', hostname: 'n1', os: 'linux', architecture: 'amd64', cpuCount: 4, memoryBytes: 8e9, daemonVersion: '0.1.0', bootId: 'boot1', hostSubnets: ['192.168.1.0/24'],
};

export function countingMakers(): Makers {
  let count = 0;
  const next = (): string => String((count += 1)).padStart(4, '0');
  return { id: () => `id${next()}`, containerId: () => next().repeat(16) };
}

export function service(fields: Partial<Service> = {}): Service {
  return { image: 'busybox', command: null, entrypoint: null, ...fields };
}

export const plainOptions: DeploymentOptions = {
  services: [], scale: {}, forceRecreate: false, noRecreate: false, alwaysRecreateDeps: false, noDeps: false, removeOrphans: false,
  renewAnonVolumes: false, noStart: false, stopGraceMs: null, pull: 'policy',
};

export function deployment(services: Readonly<Record<string, Service>>, more: { readonly name?: string; readonly options?: Partial<DeploymentOptions>; readonly project?: Partial<Deployment['project']>; readonly secretData?: Record<string, string>; readonly configData?: Record<string, string> } = {}): Deployment {
  return {
    project: { name: more.name ?? 'shop', services, ...more.project },
    workingDir: '/srv/shop', configFiles: ['/srv/shop/compose.yaml'],
    serviceHashes: Object.fromEntries(Object.entries(services).map(([name, one]) => [name, JSON.stringify({ ...one, scale: null, depends_on: null })])),
    secretData: more.secretData ?? {}, configData: more.configData ?? {},
    options: { ...plainOptions, ...more.options },
  };
}

export function dependsOn(names: Readonly<Record<string, 'service_started' | 'service_healthy' | 'service_completed_successfully'>>, more: { readonly required?: boolean; readonly restart?: boolean } = {}): NonNullable<Service['depends_on']> {
  return Object.fromEntries(Object.entries(names).map(([name, condition]) => [name, { condition, required: more.required ?? true, ...(more.restart === undefined ? {} : { restart: more.restart }) }]));
}

/** How a container of a service behaves once it runs. */
export type Behaviour = { readonly exits?: number; readonly health?: 'healthy' | 'unhealthy' | 'starting'; readonly rejects?: boolean };

/** What there is of a task on the simulated node. */
type Body = { name: string; state: 'created' | 'running' | 'exited'; exitCode: number | null; startedMs: number | null; fulfilled: TaskDesired | null; restartDone: number; gaveUp: boolean };

/**
 * A manager and the agent of one node without anything in between: deciders run to the end after each change, as in the planner,
 * and the agent takes one step a task a tick, following the rules of src/agent/step.ts.
 */
export class World {
  view: View = emptyView();
  readonly makers: Makers = countingMakers();
  readonly sim = new SimNode();
  readonly bodies = this.sim.bodies;
  readonly behaviours = this.sim.behaviours;
  readonly log = this.sim.log;
  nowMs = 1000;
  #requests = 0;
  #assignment: Assignment | null = null;
  readonly #told = new Map<string, string>();
  bootId = 'boot1';

  constructor() {
    this.decide((view) => decideHello(view, { ...node, bootId: this.bootId }));
  }

  /** Applies a decision and all that follows from it as one entry. */
  decide(decision: (view: View) => readonly Change[]): Outcome {
    const draft = new Draft(this.view, this.nowMs);
    draft.apply(decision(draft.view));
    settleAll(draft, [], this.makers);
    const changes = draft.changes();
    const applied = applyEntry(this.view, this.view.revision + 1, { requestId: `r${(this.#requests += 1)}`, timeMs: this.nowMs, changes });
    this.view = applied.view;
    return applied.outcome;
  }

  up(one: Deployment): ReturnType<typeof decideStack> {
    let decision: ReturnType<typeof decideStack> | null = null;
    this.decide((view) => (decision = decideStack(view, one, this.makers)).changes);
    if (decision === null) throw new Error('nothing was decided');
    return decision;
  }

  /** One step of the agent for each of its tasks, told in one report. Answers whether anything changed. */
  tick(isLate = false): boolean {
    this.nowMs += 100;
    // A late agent goes by what it was told last, and what it tells then is of that.
    if (!isLate) this.#assignment = assignmentOf(this.view, node.nodeId);
    const assignment = this.#assignment ?? assignmentOf(this.view, node.nodeId);
    const tasks: { taskId: string; status: TaskStatus }[] = [];
    for (const { task, spec } of assignment.tasks) {
      const status = this.sim.step(task, spec !== null, this.nowMs);
      const text = JSON.stringify(status);
      if (this.#told.get(task.id) === text) continue;
      this.#told.set(task.id, text);
      tasks.push({ taskId: task.id, status });
    }
    const removedVolumes = assignment.volumes.filter((one) => one.desired === 'removed').map((one) => one.id);
    if (tasks.length === 0 && removedVolumes.length === 0) return false;
    this.decide((view) => decideReport(view, { nodeId: node.nodeId, tasks, removedVolumes }));
    return true;
  }

  /** Ticks until nothing changes any more. */
  settle(ticksMax = 200): number {
    for (let ticks = 0; ticks < ticksMax; ticks += 1) if (!this.tick()) return ticks;
    throw new Error(`not settled after ${ticksMax} ticks: ${this.show()}`);
  }

  /** All processes are gone, and the node comes back. */
  reboot(): void {
    this.sim.reboot();
    this.bootId = `${this.bootId}+`;
    this.decide((view) => decideHello(view, { ...node, bootId: this.bootId }));
  }

  task(containerName: string): TaskObject | undefined {
    return allOf(this.view, 'task').find((one) => one.containerName === containerName && one.desired !== 'removed') ?? allOf(this.view, 'task').find((one) => one.containerName === containerName);
  }

  /** `web-1 running/running`, a line a task: the wish and the state. */
  show(): string {
    return allOf(this.view, 'task').map((one) => `${one.containerName.replace(`${one.projectName}-`, '')} ${one.desired}/${one.status.state}${one.isDone ? ' done' : ''}${one.status.error === null ? '' : ` ${one.status.error.code}`}`).sort().join('\n');
  }
}

/** The containers of a simulated node, by task, following the rules of src/agent/step.ts. */
export class SimNode {
  readonly bodies = new Map<string, Body>();
  readonly behaviours: Record<string, Behaviour> = {};
  readonly log: string[] = [];
  nowMs = 0;

  /** Every process ends. */
  reboot(): void {
    for (const body of this.bodies.values()) {
      if (body.state === 'running') Object.assign(body, { state: 'exited', exitCode: 137 });
      body.fulfilled = null;
    }
    this.log.push('reboot');
  }

  step(task: TaskObject, hasSpec: boolean, nowMs: number): TaskStatus {
    this.nowMs = nowMs;
    const behaviour = this.behaviours[task.serviceName] ?? {};
    const body = this.bodies.get(task.id) ?? null;
    if (body !== null && body.state === 'running' && behaviour.exits !== undefined) {
      Object.assign(body, { state: 'exited', exitCode: behaviour.exits });
      this.log.push(`${task.containerName} exits ${behaviour.exits}`);
    } else if (this.#act(task, body, hasSpec, behaviour)) {
      return this.#status(task, 'rejected', { code: 'AGENT_STEP_FAILED', message: 'no such image', hint: null });
    }
    const after = this.bodies.get(task.id) ?? null;
    if (after === null) return this.#status(task, task.desired === 'removed' ? 'removed' : task.desired === 'fetched' ? 'fetched' : 'assigned', null);
    if (after.state === 'running') return this.#status(task, 'running', null);
    if (after.state === 'created' || task.desired === 'prepared') return this.#status(task, 'prepared', null);
    return this.#status(task, 'exited', null);
  }

  /** Answers true where it fails. */
  #act(task: TaskObject, body: Body | null, hasSpec: boolean, behaviour: Behaviour): boolean {
    if (body === null) {
      if (task.desired === 'removed') return false;
      if (behaviour.rejects === true) return true;
      if (task.desired === 'fetched' || !hasSpec) return false;
      if ([...this.bodies.values()].some((one) => one.name === task.containerName)) throw new Error(`two containers have the name ${task.containerName}`);
      this.bodies.set(task.id, { name: task.containerName, state: 'created', exitCode: null, startedMs: null, fulfilled: null, restartDone: task.restartCount, gaveUp: false });
      this.log.push(`${task.containerName} created`);
      return false;
    }
    const start = (): void => {
      Object.assign(body, { state: 'running', exitCode: null, startedMs: this.nowMs, fulfilled: 'running', restartDone: task.restartCount });
      this.log.push(`${task.containerName} started`);
    };
    const stop = (): void => {
      Object.assign(body, { state: 'exited', exitCode: 0 });
      this.log.push(`${task.containerName} stopped`);
    };
    if (task.desired === 'running') {
      const wantsRestart = body.restartDone < task.restartCount && body.fulfilled === 'running';
      if (body.state === 'running' && wantsRestart) stop();
      if (body.state !== 'running' && (body.state === 'created' || body.fulfilled !== 'running' || wantsRestart)) start();
      return false;
    }
    if (body.state === 'running') stop();
    else if (task.desired === 'removed') {
      this.bodies.delete(task.id);
      this.log.push(`${task.containerName} removed`);
    }
    if (task.desired !== 'removed') body.fulfilled = task.desired;
    return false;
  }

  #status(task: TaskObject, state: TaskStatus['state'], error: TaskStatus['error']): TaskStatus {
    const body = this.bodies.get(task.id);
    const health = state === 'running' ? (this.behaviours[task.serviceName]?.health ?? 'none') : 'none';
    return {
      state, desired: task.desired, health, exitCode: body?.exitCode ?? null, startedMs: body?.startedMs ?? null, finishedMs: null,
      oomKilled: false, restarts: 0, restartCountDone: body?.restartDone ?? task.restartCount, error,
    };
  }
}
