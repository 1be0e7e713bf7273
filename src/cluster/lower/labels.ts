import { programVersion } from '../../base/version.ts';
import type { AssignedTask } from '../../model/assignment.ts';
import type { Service } from '../../model/project.ts';

/** The label by which the agent knows its own. */
export const taskLabel = 'io.flotilla.task';

/** The file's labels, and those that Compose writes, by which its users' scripts and tools find containers. */
export function lowerLabels(assigned: AssignedTask, spec: Service): Record<string, string> {
  const { task, service } = assigned;
  return {
    ...spec.labels,
    'com.docker.compose.config-hash': task.specHash,
    'com.docker.compose.container-number': String(task.slot),
    'com.docker.compose.depends_on': Object.entries(spec.depends_on ?? {})
      .map(([name, dependency]) => `${name}:${dependency.condition}:${String(dependency.restart ?? false)}`)
      .sort()
      .join(','),
    'com.docker.compose.oneoff': 'False',
    'com.docker.compose.project': service.projectName,
    'com.docker.compose.project.config_files': service.configFiles.join(','),
    'com.docker.compose.project.working_dir': service.workingDir,
    'com.docker.compose.service': service.name,
    'com.docker.compose.version': programVersion,
    'io.flotilla.slot': `${service.id}/${task.slot}`,
    [taskLabel]: task.id,
  };
}
