import { isDict, isList } from '../source/values.ts';
import type { Dict } from '../source/values.ts';

/**
 * Reads from the environment of a file what the file names without a value: lines of `environment`, and the contents of
 * configs. In place. Secrets are not read here, so that their contents are never in the model.
 */
export function fillFromEnvironment(model: Dict, environment: ReadonlyMap<string, string>): void {
  const services = model['services'];
  for (const service of isDict(services) ? Object.values(services) : []) {
    if (!isDict(service) || !isList(service['environment'])) continue;
    service['environment'] = service['environment']
      .filter((line) => typeof line === 'string')
      .map((line) => (environment.has(line) ? `${line}=${environment.get(line) ?? ''}` : line));
  }
  const configs = model['configs'];
  for (const config of isDict(configs) ? Object.values(configs) : []) {
    if (!isDict(config) || typeof config['environment'] !== 'string') continue;
    const found = environment.get(config['environment']);
    if (found !== undefined) config['content'] = found;
  }
}
