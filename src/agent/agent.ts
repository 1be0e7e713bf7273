import { AppError, isAppError } from '../base/app-error.ts';
import type { Clock } from '../base/clock.ts';
import type { Log } from '../base/log.ts';
import type { Random } from '../base/random.ts';
import { taskLabel } from '../cluster/lower/labels.ts';
import { lowerNetwork } from '../cluster/lower/network.ts';
import { decideRestart, type RestartDecision, restartPolicyOf } from '../cluster/restart.ts';
import type { Engine } from '../engine/engine.ts';
import type { AssignedTask, Assignment } from '../model/assignment.ts';
import type { ContainerInfo, PullProgress } from '../model/container.ts';
import type { VolumeObject } from '../model/objects.ts';
import { publishedIps } from '../model/published-ips.ts';
import type { Net } from '../net/net.ts';
import type { AgentEnd, NodeFacts } from '../wire/session.ts';
import { type DriverHost, TaskDriver } from './drive-task.ts';
import { containerSpecOf, namespaceOwner } from './lowering.ts';
import { AgentMemory } from './memory.ts';
import { NodeNetwork } from './network.ts';
import { fetchImage, prepareTask } from './prepare.ts';
import { Reporter } from './report.ts';
import { memoryFiles } from './secret-file.ts';
import type { TaskMemory } from './step.ts';
import { createTurns } from './turns.ts';

export type AgentOptions = {
  readonly engine: Engine;
  readonly net: Net;
  readonly clock: Clock;
  readonly log: Log;
  readonly session: AgentEnd;
  readonly facts: NodeFacts;
  readonly random: Random;
  readonly defer: (callback: () => void) => void;
  readonly hostResolvConf: string;
  readonly hostsFileOfHost: string;
  /** Pull progress of tasks in preparation, for those who watch. */
  readonly onPull: (reference: string, progress: PullProgress) => void;
  readonly dataDir: string;
  readonly runDir: string;
};

/** All of the network but some ports is in force then. */
const portTroubles: ReadonlySet<string> = new Set(['NET_PORT_IN_USE', 'NET_HOST_IP_MISSING', 'NET_NO_DESCRIPTOR']);
/** A dump of the routes takes a third of a millisecond. */
const lookMs = 30_000;

/**
 * The agent of a node: makes what is assigned, and tells what is there. It adopts containers that outlived the daemon, works on
 * from its memory until a manager speaks, and removes containers of tasks that no longer exist.
 */
export class Agent {
  readonly #options: AgentOptions;
  readonly #memory: AgentMemory;
  readonly #drivers = new Map<string, TaskDriver>();
  readonly #taskOfContainer = new Map<string, string>();
  readonly #network: NodeNetwork;
  readonly #reporter: Reporter;
  readonly #driverHost: DriverHost;
  readonly #namespaces = new Set<string>();
  readonly #volumesLeaving = new Set<string>();
  readonly #turn: () => Promise<void>;
  #assignment: Assignment;
  #unsubscribe: () => void = () => undefined;
  #hostSubnets: readonly string[];
  #cancelLook: () => void = () => undefined;

  private constructor(options: AgentOptions, memory: AgentMemory) {
    this.#options = options;
    this.#memory = memory;
    this.#assignment = memory.savedAssignment ?? { nodeId: options.facts.nodeId, revision: 0, tasks: [], networks: [], volumes: [] };
    this.#network = new NodeNetwork({ net: options.net, defer: (callback) => options.defer(() => void this.#turn().then(callback)), wish: () => lowerNetwork(this.#assignmentWithNamespaces(), (taskId) => this.#facts(taskId)) });
    this.#turn = createTurns(options.defer);
    // After the containers that wait for their turn: to write down that they are being made can wait, what they are made by can't.
    this.#reporter = new Reporter({ session: options.session, nodeId: options.facts.nodeId, defer: (callback) => options.defer(() => void this.#turn().then(callback)) });
    this.#driverHost = this.#hostOf();
    this.#hostSubnets = options.facts.hostSubnets;
  }

  static async start(options: AgentOptions): Promise<Agent> {
    const memory = await AgentMemory.open({ dir: options.dataDir, runDir: options.runDir, bootId: options.facts.bootId, log: options.log, files: memoryFiles });
    const agent = new Agent(options, memory);
    agent.#unsubscribe = options.engine.containers.onEvent((event) => {
      const taskId = agent.#taskOfContainer.get(event.containerId);
      if (taskId === undefined) return;
      if (event.kind === 'exited' || event.kind === 'health') agent.#networkChanged();
      agent.#drivers.get(taskId)?.kick();
    });
    await agent.#adopt(memory.savedAssignment);
    options.session.onMessage((message) => {
      agent.#assign(message.assignment);
      agent.#removeStrayNamespaces();
    });
    options.session.send({ kind: 'hello', facts: options.facts });
    agent.#reporter.open();
    agent.#lookAtHost();
    return agent;
  }

  /** Stops driving; containers and the network stay as they are. */
  async close(): Promise<void> {
    this.#unsubscribe();
    this.#cancelLook();
    for (const driver of this.#drivers.values()) driver.close();
    await Promise.all([...this.#drivers.values()].map((driver) => driver.settled()));
    await this.#network.settle();
    await this.#memory.flush();
    this.#options.session.close();
  }

  /** Looks which subnets the host reaches by other ways now (a VPN may have come up), tells the manager of a change, and answers them. */
  async refreshHost(): Promise<readonly string[]> {
    const now = await this.#options.net.hostSubnets();
    if (JSON.stringify(now) !== JSON.stringify(this.#hostSubnets)) {
      this.#hostSubnets = now;
      this.#reporter.tellHostSubnets(now);
    }
    return now;
  }

  #lookAtHost(): void {
    this.#cancelLook = this.#options.clock.after(lookMs, () => {
      this.refreshHost().catch((error: unknown) => this.#options.log.warn('agent.host-not-read', { error: String(error) }));
      this.#lookAtHost();
    }, true);
  }

  /** The container of a task, for streams. */
  containerIdOf(taskId: string): string | null {
    return this.#drivers.get(taskId)?.assigned.task.containerId ?? null;
  }

  /**
   * Names are served again before anything else, for containers that ran on without us. With nothing to adopt the network's rules are
   * made all the same, so that they are there when the first container comes.
   */
  async #adopt(assignment: Assignment | null): Promise<void> {
    for (const id of await this.#options.net.listNamespaces()) this.#namespaces.add(id);
    if (assignment !== null) this.#assign(assignment);
    // A network that can't be made is told of where it matters: to the tasks that need it. The daemon must come up all the same.
    const applied = this.#network.sync().catch((error: unknown) => this.#notApplied(error));
    if (assignment !== null && assignment.tasks.length > 0) await applied;
  }

  /** What a crash left between the making of a namespace and the container in it, once the manager has said what there is to be. */
  #removeStrayNamespaces(): void {
    const known = this.#knownContainers();
    for (const id of [...this.#namespaces].filter((one) => !known.has(one) && this.#options.engine.containers.get(one) === null)) {
      this.#options.log.info('agent.remove-stray-namespace', { container: id });
      this.#namespaces.delete(id);
      this.#options.net.removeNamespace(id).catch((error: unknown) => this.#options.log.warn('agent.namespace-stays', { container: id, error: String(error) }));
    }
  }

  #knownContainers(): ReadonlySet<string> {
    return new Set([...this.#assignment.tasks, ...[...this.#drivers.values()].map((driver) => driver.assigned)].map((one) => one.task.containerId));
  }

  #assign(assignment: Assignment): void {
    this.#assignment = assignment;
    this.#memory.saveAssignment(assignment);
    const wanted = new Set(assignment.tasks.map((one) => one.task.id));
    for (const assigned of assignment.tasks) {
      const driver = this.#drivers.get(assigned.task.id);
      if (driver !== undefined) driver.wish(assigned);
      else this.#drive(assigned);
    }
    for (const [taskId, driver] of this.#drivers) {
      if (!wanted.has(taskId)) driver.wish({ ...driver.assigned, task: { ...driver.assigned.task, desired: 'removed' } });
    }
    this.#removeStrangers(wanted);
    this.#removeVolumes();
    this.#networkChanged();
  }

  #drive(assigned: AssignedTask): void {
    const driver = new TaskDriver(this.#driverHost, assigned);
    this.#drivers.set(assigned.task.id, driver);
    this.#taskOfContainer.set(assigned.task.containerId, assigned.task.id);
    if (this.#options.engine.containers.get(assigned.task.containerId) !== null) this.#namespaces.add(assigned.task.containerId);
    driver.kick();
  }

  /** Containers of tasks that nobody knows any more: a removal that a crash cut off. */
  #removeStrangers(wanted: ReadonlySet<string>): void {
    for (const container of this.#options.engine.containers.list()) {
      const taskId = container.labels[taskLabel];
      if (taskId === undefined || wanted.has(taskId) || this.#drivers.has(taskId)) continue;
      this.#options.log.info('agent.remove-stranger', { container: container.name });
      void this.#removeStranger(container.id);
    }
  }

  async #removeStranger(containerId: string): Promise<void> {
    try {
      await this.#options.engine.containers.remove(containerId, { force: true, volumes: true });
      // Its task may have been told of meanwhile, and what it is to live in is there.
      if (this.#knownContainers().has(containerId)) return;
      this.#namespaces.delete(containerId);
      await this.#options.net.removeNamespace(containerId);
    } catch (error) {
      this.#options.log.warn('agent.stranger-stays', { container: containerId, error: String(error) });
    }
  }

  #removeVolumes(): void {
    for (const volume of this.#assignment.volumes) {
      if (volume.desired !== 'removed' || this.#volumesLeaving.has(volume.id) || this.#isNeeded(volume)) continue;
      this.#volumesLeaving.add(volume.id);
      void this.#removeVolume(volume.id, volume.name);
    }
  }

  /** A task that is being made would make the volume again; its end comes back here. */
  #isNeeded(volume: VolumeObject): boolean {
    return [...this.#drivers.values()].some(({ assigned: { refs, service } }) => (refs === null ? service.projectName === volume.projectName : Object.values(refs.volumes).includes(volume.id)));
  }

  async #removeVolume(id: string, name: string): Promise<void> {
    try {
      await this.#options.engine.volumes.remove(name);
      this.#reporter.tellVolumeRemoved(id);
    } catch (error) {
      // Still mounted by a container on its way out: the next change of a container tries again.
      this.#options.log.debug('agent.volume-stays', { volume: name, error: String(error) });
    } finally {
      this.#volumesLeaving.delete(id);
    }
  }

  #hostOf(): DriverHost {
    const { engine, clock, log } = this.#options;
    return {
      engine, clock, log,
      memory: (taskId) => this.#memory.task(taskId),
      setMemory: (taskId, memory) => this.#memory.setTask(taskId, memory),
      tell: (taskId, status) => this.#reporter.tell(taskId, status),
      prepare: (assigned, signal) => this.#prepare(assigned, signal),
      fetch: (assigned, signal) => fetchImage({ engine, assigned, signal, onPull: this.#options.onPull }),
      release: (assigned) => this.#release(assigned),
      networkChanged: () => this.#networkChanged(),
      leaveNetwork: () => void this.#network.sync().catch((error: unknown) => this.#notApplied(error)),
      networkReady: (assigned) => this.#networkReady(assigned),
      gone: (taskId) => this.#forget(taskId),
      decideRestart: (assigned, container, memory) => this.#decideRestart(assigned, container, memory),
    };
  }

  async #prepare(assigned: AssignedTask, signal: AbortSignal): Promise<void> {
    await prepareTask({
      engine: this.#options.engine,
      assigned,
      volumes: this.#assignment.volumes,
      signal,
      onPull: this.#options.onPull,
      makeNetwork: () => this.#ensureNamespace(assigned),
      turn: this.#turn,
      spec: (networkPath) => {
        const { facts, hostResolvConf, hostsFileOfHost } = this.#options;
        const spec = containerSpecOf(assigned, { assignment: this.#assignment, networkPath, hostname: facts.hostname, hostResolvConf, hostsFileOfHost });
        if (spec === null) throw new AppError({ code: 'AGENT_NO_DEFINITION', message: `${assigned.task.containerName}: its definition is no longer kept`, hint: 'run `up` again' });
        return spec;
      },
    });
  }

  /** The namespace that the container is to live in; null: the host's. */
  async #ensureNamespace(assigned: AssignedTask): Promise<string | null> {
    const owner = namespaceOwner(assigned, this.#assignment);
    if (owner === null) return null;
    const { path, isNew } = await this.#options.net.createNamespace(owner.task.containerId);
    if (isNew || !this.#namespaces.has(owner.task.containerId)) {
      this.#namespaces.add(owner.task.containerId);
      this.#networkChanged();
    }
    return path;
  }

  /** Before a start: the namespace may have gone with a reboot, and links, names and ports are to be there when the process is. */
  async #networkReady(assigned: AssignedTask): Promise<void> {
    // Who is still to be prepared comes first: what is applied then holds all of them, and is not applied again for each.
    await this.#turn();
    if ((await this.#ensureNamespace(assigned)) === null) return;
    try {
      await this.#network.ready();
    } catch (error) {
      if (!isAppError(error) || !portTroubles.has(error.code)) throw error;
      // A port that can't be had is the trouble of the task that asks for it, not of its neighbours.
      await this.#options.net.checkPortsFree(assigned.task.ports.flatMap((port) => publishedIps(port, false).map((hostIp) => ({ hostIp, port: port.hostPort, protocol: port.protocol }))));
    }
  }

  #decideRestart(assigned: AssignedTask, container: ContainerInfo, memory: TaskMemory): RestartDecision | null {
    return decideRestart({
      policy: restartPolicyOf(assigned.spec ?? {}),
      exitCode: container.exitCode ?? 0,
      ranMs: (container.finishedMs ?? 0) - (container.startedMs ?? 0),
      history: memory.history,
      jitter: this.#options.random.float(),
    });
  }

  async #release(assigned: AssignedTask): Promise<void> {
    const { containerId } = assigned.task;
    if (!this.#namespaces.delete(containerId)) return;
    try {
      // First out of the wish, then the namespace: an application in between would miss its own namespace.
      await this.#network.sync().catch((error: unknown) => this.#notApplied(error));
      await this.#options.net.removeNamespace(containerId);
    } catch (error) {
      // Still ours to take away: the removal is tried again.
      this.#namespaces.add(containerId);
      throw error;
    }
  }

  #forget(taskId: string): void {
    const driver = this.#drivers.get(taskId);
    if (driver !== undefined) this.#taskOfContainer.delete(driver.assigned.task.containerId);
    this.#drivers.delete(taskId);
    this.#memory.forgetTask(taskId);
    this.#reporter.forget(taskId);
    this.#removeVolumes();
  }

  #networkChanged(): void {
    this.#network.changed((error) => this.#notApplied(error));
  }

  #notApplied(error: unknown): void {
    this.#options.log.error('agent.network-not-applied', { error: String(error) });
  }

  #facts(taskId: string): { isRunning: boolean; isHealthy: boolean } | null {
    const driver = this.#drivers.get(taskId);
    if (driver === undefined) return null;
    const container = this.#options.engine.containers.get(driver.assigned.task.containerId);
    return { isRunning: driver.isRunning, isHealthy: container !== null && container.health !== 'unhealthy' };
  }

  /** Only what has a namespace can be wired. */
  #assignmentWithNamespaces(): Assignment {
    return { ...this.#assignment, tasks: this.#assignment.tasks.filter((one) => this.#namespaces.has(one.task.containerId)) };
  }
}
