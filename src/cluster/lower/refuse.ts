import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Project } from '../../model/project.ts';
import { checkSupport, supportDiagnostics } from '../../model/support/check.ts';

/**
 * Every key of the selected services, and of the networks, volumes, secrets and configs they use, that this version does not
 * honour, all at once: the laptop's column of model/support. Out: an error each, and a warning where a value
 * has no effect. Paths are into the model.
 */
export function refuse(project: Project, serviceNames: readonly string[]): Diagnostic[] {
  return supportDiagnostics(checkSupport(project, { target: 'laptop', services: serviceNames }));
}
