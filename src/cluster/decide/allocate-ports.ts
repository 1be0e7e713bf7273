import type { ObjectError, ServiceObject, TaskObject, TaskPort } from '../../model/objects.ts';
import type { Port } from '../../model/project.ts';
import { tasksOfNode, type View } from '../state/view.ts';
import { networkKindOf } from './namespaces.ts';

/** Where the host's own outgoing connections and Docker take theirs from, too. */
const ephemeralFirst = 32_768;
const ephemeralLast = 60_999;

/**
 * The host's ports of a task: a single published port is shared by all tasks of its service, which answer in turn; of a range each
 * takes its own, as in Compose; where none is named, any free one. In: `newTasks`, given ports in the same round. null: what has the port is on its way out.
 */
export function allocatePorts(view: View, scene: { readonly service: ServiceObject; readonly task: TaskObject; readonly newTasks: readonly TaskObject[] }): readonly TaskPort[] | ObjectError | null {
  const { service, task } = scene;
  const wishes = service.spec.ports ?? [];
  if (wishes.length === 0 || networkKindOf(service.spec) !== 'own' || task.nodeId === null) return [];
  const others = [...tasksOfNode(view, task.nodeId), ...scene.newTasks.filter((one) => one.nodeId === task.nodeId)].filter((one) => one.id !== task.id);
  const given: TaskPort[] = [];
  for (const wish of wishes) {
    const port = choosePort({ wish, service, task, others, given });
    if (port === null || 'code' in port) return port;
    given.push(port);
  }
  return given;
}

function choosePort(scene: { readonly wish: Port; readonly service: ServiceObject; readonly task: TaskObject; readonly others: readonly TaskObject[]; readonly given: readonly TaskPort[] }): TaskPort | ObjectError | null {
  const { wish, service, task, others, given } = scene;
  const protocol = wish.protocol === 'udp' ? 'udp' : 'tcp';
  const hostIp = wish.host_ip ?? '';
  const range = portRange(wish.published);
  const isShared = range !== null && range.first === range.last;
  const first = range?.first ?? ephemeralFirst;
  const size = (range?.last ?? ephemeralLast) - first + 1;
  const offset = range === null ? hashOf(`${task.id}/${wish.target}/${protocol}`) % size : 0;
  let holder = '';
  for (let step = 0; step < size; step += 1) {
    const hostPort = first + ((offset + step) % size);
    const port: TaskPort = { hostIp, hostPort, containerPort: wish.target, protocol };
    const rival = others.find((one) => one.ports.some((two) => clashes(two, port)) && !(isShared && one.serviceId === service.id));
    if (rival === undefined && (isShared || !given.some((one) => clashes(one, port)))) return port;
    if (isShared && rival?.desired === 'removed') return null;
    holder = rival?.containerName ?? task.containerName;
  }
  const text = range === null ? 'of the ephemeral ports' : isShared ? `${range.first}/${protocol}` : `of ${range.first}-${range.last}/${protocol}`;
  return isShared
    ? { code: 'CLUSTER_PORT_IN_USE', message: `${task.containerName}: port ${text} is published by ${holder}`, hint: 'publish another port, or stop what has it' }
    : { code: 'CLUSTER_PORT_IN_USE', message: `${task.containerName}: none ${text} is free`, hint: 'publish a larger range, or leave the published port out' };
}

export function clashes(a: Pick<TaskPort, 'hostIp' | 'hostPort' | 'protocol'>, b: Pick<TaskPort, 'hostIp' | 'hostPort' | 'protocol'>): boolean {
  if (a.hostPort !== b.hostPort || a.protocol !== b.protocol) return false;
  return a.hostIp === b.hostIp || covers(a.hostIp, b.hostIp) || covers(b.hostIp, a.hostIp);
}

/** `0.0.0.0` is every IPv4 address, `::` every IPv6 one, no address both. */
function covers(all: string, one: string): boolean {
  if (all === '') return true;
  return one.includes(':') ? all === '::' : one !== '' && all === '0.0.0.0';
}

/** null: any port. */
export function portRange(published: string | undefined): { readonly first: number; readonly last: number } | null {
  if (published === undefined || published === '' || published === '0') return null;
  const [first = '', last = first] = published.split('-');
  return { first: Number(first), last: Number(last) };
}

function hashOf(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}
