import type { Diagnostic } from '../../base/diagnostic.ts';
import type { Project } from '../../model/project.ts';
import { keyRefusals } from '../../model/refusals.ts';

/**
 * Every key that this version does not honour, as findings: the guard before a deployment, whoever sends it. The command has
 * refused the same by then, with the place in the file.
 */
export function refuse(project: Project, serviceNames: readonly string[]): Diagnostic[] {
  return keyRefusals(project, serviceNames).map(({ kind, path, what, reason, hint }): Diagnostic => ({
    severity: kind === 'refused' ? 'error' : 'warning',
    code: kind === 'refused' ? 'CLUSTER_KEY_REFUSED' : 'CLUSTER_KEY_UNHEEDED',
    message: kind === 'refused' ? `${what} is not supported: ${reason}` : `${what} has no effect: ${reason}`,
    hint, line: 0, column: 0, path: pathText(path),
  }));
}

/** `services.web.ports[0].protocol`. */
function pathText(path: readonly string[]): string {
  return path.map((step, index) => (/^\d+$/.test(step) && index > 2 ? `[${step}]` : `.${step}`)).join('').slice(1);
}
