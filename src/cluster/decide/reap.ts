import type { Change } from '../../model/entry.ts';
import type { ServiceObject, TaskObject } from '../../model/objects.ts';
import { configsOfProject, get, networksOfProject, secretsOfProject, servicesOfProject, tasksOfService, volumesOfProject, type View } from '../state/view.ts';
import { remove } from './draft.ts';

/**
 * Takes out of the store what nothing refers to any more: tasks of which nothing is left, services without tasks on their way
 * out, networks nobody is on, volumes no node holds, content of secrets and configs that no version names, and at last the project.
 */
export function reap(view: View, projectName: string): Change[] {
  const services = servicesOfProject(view, projectName);
  const tasks = services.flatMap((service) => tasksOfService(view, service.id));
  const goneTasks = tasks.filter(isGone);
  const leftTasks = tasks.filter((task) => !isGone(task));
  const goneServices = services.filter((service) => service.desired === 'removed' && !leftTasks.some((task) => task.serviceId === service.id));
  const leftServices = services.filter((service) => !goneServices.includes(service));
  const used = usedIds(leftServices, leftTasks);
  const networks = networksOfProject(view, projectName);
  const goneNetworks = networks.filter((network) => network.desired === 'removed' && !used.has(network.id));
  const volumes = volumesOfProject(view, projectName);
  const goneVolumes = volumes.filter((volume) => volume.desired === 'removed' && volume.nodeId === null && !used.has(volume.id));
  const goneData = [...secretsOfProject(view, projectName), ...configsOfProject(view, projectName)].filter((one) => !used.has(one.id));
  const project = get(view, 'project', projectName);
  const isProjectGone = project?.desired === 'removed' && leftServices.length === 0 && goneNetworks.length === networks.length
    && volumes.every((volume) => volume.desired === 'present' || goneVolumes.includes(volume));
  return [...goneTasks, ...goneServices, ...goneNetworks, ...goneVolumes, ...goneData, ...(isProjectGone ? [project] : [])].map(remove);
}

function isGone(task: TaskObject): boolean {
  return task.desired === 'removed' && (task.nodeId === null || task.status.state === 'removed');
}

/** Ids of networks, volumes, secrets and configs that services name, or tasks that are still there were made with. */
function usedIds(services: readonly ServiceObject[], tasks: readonly TaskObject[]): Set<string> {
  const used = new Set<string>();
  for (const service of services) {
    const versions = [service.refs, ...(tasks.some((task) => task.serviceId === service.id && task.specHash === service.previous?.specHash) ? [service.previous?.refs] : [])];
    const hasTasks = tasks.some((task) => task.serviceId === service.id);
    for (const refs of versions) {
      if (refs === undefined || (service.desired === 'removed' && !hasTasks)) continue;
      for (const ids of [refs.volumes, refs.secrets, refs.configs]) for (const id of Object.values(ids)) used.add(id);
      // A network on its way out is held by the containers on it, not by a definition.
      for (const id of service.desired === 'removed' ? [] : Object.values(refs.networks)) used.add(id);
    }
  }
  for (const task of tasks) for (const one of task.attachments) used.add(one.networkId);
  return used;
}
