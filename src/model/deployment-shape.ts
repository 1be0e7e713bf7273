import { AppError } from '../base/app-error.ts';
import type { Deployment, DeploymentOptions } from './deployment.ts';
import { nameShape, projectShape } from './project-shape.ts';
import { flag, listOf, mapOf, nullable, number, oneOf, optional, problemsOf, type Shape, struct, text, textLike } from './shape.ts';

const base64: Shape<string> = textLike('bytes in base64', /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/);
const data = mapOf(base64, nameShape);

const options: Shape<DeploymentOptions> = struct<DeploymentOptions>({
  services: listOf(text), scale: mapOf(number, nameShape), forceRecreate: flag, noRecreate: flag, alwaysRecreateDeps: flag, noDeps: flag, removeOrphans: flag, renewAnonVolumes: flag, noStart: flag,
  stopGraceMs: nullable(number), recreate: optional(listOf(text)), pull: oneOf('always', 'missing', 'never', 'policy'),
});

const deploymentShape: Shape<Deployment> = struct<Deployment>({
  project: projectShape, workingDir: text, configFiles: listOf(text), serviceHashes: mapOf(text, nameShape), secretData: data, configData: data, disabledServices: optional(listOf(text)), options,
});

/** Objects without a prototype: a secret named `constructor` is found only where there is one. In: a value of bounded depth. */
function bare(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(bare);
  if (typeof value !== 'object' || value === null) return value;
  const made: Record<string, unknown> = Object.create(null);
  for (const [key, inner] of Object.entries(value)) made[key] = bare(inner);
  return made;
}

/**
 * A deployment as it comes over the wire, looked at whole: from here on every reader may rely on its types.
 * Errors: DAEMON_BAD_REQUEST with every problem, the first twenty, each with its path.
 */
export function readDeployment(value: unknown): Deployment {
  const problems = problemsOf(deploymentShape, value, 'deployment');
  const [first] = problems;
  if (first === undefined) return bare(value) as Deployment;
  const said = problems.map((one) => `${one.path} ${one.message}`).join('; ');
  throw new AppError({ code: 'DAEMON_BAD_REQUEST', message: said, hint: 'a command of the same version as the daemon sends what the daemon takes: flotilla version', at: { kind: 'object', object: first.path } });
}
