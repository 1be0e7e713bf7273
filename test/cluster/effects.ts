import { lowerNetwork } from '../../src/cluster/lower/network.ts';
import { restartPolicyOf } from '../../src/cluster/restart.ts';
import { allOf, type View } from '../../src/cluster/state/view.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import { containerSpecOf, namespaceOwner } from '../../src/agent/lowering.ts';
import type { Assignment } from '../../src/model/assignment.ts';
import type { ContainerSpec } from '../../src/model/container-spec.ts';
import type { DeploymentOptions } from '../../src/model/deployment.ts';
import type { NodeObject } from '../../src/model/objects.ts';
import type { Project, Service } from '../../src/model/project.ts';
import { type Behaviour, deployment, node, service, World } from './world.ts';

/** One situation: a service `web` beside others, the node it runs on, and what is done with it. */
export type Scene = {
  readonly web?: Partial<Service>;
  readonly others?: Readonly<Record<string, Partial<Service>>>;
  readonly project?: Partial<Project>;
  readonly behaviours?: Readonly<Record<string, Behaviour>>;
  /** A second deployment after the first has settled. */
  readonly again?: Partial<DeploymentOptions>;
  readonly nodes?: readonly Partial<NodeObject>[];
};

const ticksMax = 60;

/**
 * All that comes of a scene, as text: what is decided, what the store holds, what a container is made from, the node's network, and in which
 * order things happen. The definition itself, which the store keeps, and the hashes over it are left out: they change with every key.
 */
export function effectsOf(scene: Scene): string {
  const world = new World();
  for (const more of scene.nodes ?? []) world.decide(() => [{ kind: 'put', object: nodeObject(world.view, more), ifVersion: null }]);
  Object.assign(world.behaviours, scene.behaviours);
  const services = { web: service(scene.web), ...Object.fromEntries(Object.entries(scene.others ?? {}).map(([name, fields]) => [name, service(fields)])) };
  const data = { project: scene.project ?? {}, secretData: { token: 'c2VjcmV0' }, configData: { page: 'cGFnZQ==' } };
  const decision = world.up(deployment(services, data));
  run(world);
  if (scene.again !== undefined) {
    world.up(deployment(services, { ...data, options: scene.again }));
    run(world);
  }
  const assignment = assignmentOf(world.view, node.nodeId);
  return JSON.stringify({
    decision: [decision.isRefused, decision.diagnostics],
    log: world.log,
    objects: (['project', 'network', 'volume', 'secret', 'config'] as const).flatMap((kind) => allOf(world.view, kind).map((one) => ({ ...one, specHash: null }))),
    services: allOf(world.view, 'service').map((one) => ({ ...one, spec: null, previous: null, specHash: null })),
    tasks: allOf(world.view, 'task').map((one) => ({ ...one, specHash: null })),
    containers: assignment.tasks.map((one) => plain(containerSpecOf(one, { assignment, networkPath: namespaceOwner(one, assignment) === null ? null : `/ns/${namespaceOwner(one, assignment)?.task.containerId ?? ''}`, hostname: 'n1', hostResolvConf: 'nameserver 9.9.9.9\n', hostsFileOfHost: '127.0.0.1 localhost\n' }))),
    network: lowerNetwork(assignment, () => ({ isRunning: true, isHealthy: true })),
    restarts: assignment.tasks.map((one: Assignment['tasks'][number]) => (one.spec === null ? null : restartPolicyOf(one.spec))),
  }, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value), 1);
}

function run(world: World): void {
  for (let ticks = 0; ticks < ticksMax; ticks += 1) if (!world.tick()) return;
}

/** Labels that repeat the definition are no effect of it. */
function plain(spec: ContainerSpec | null): unknown {
  if (spec === null) return null;
  const { 'com.docker.compose.config-hash': _hash, 'com.docker.compose.depends_on': _dependsOn, ...labels } = spec.labels;
  return { ...spec, labels, files: spec.files.map((file) => ({ ...file, content: new TextDecoder().decode(file.content) })) };
}

function nodeObject(view: View, fields: Partial<NodeObject>): NodeObject {
  const first = allOf(view, 'node')[0];
  if (first === undefined) throw new Error('the world has no node');
  return { ...first, version: 0, ...fields };
}
