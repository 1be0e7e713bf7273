import type { Report } from '../report.ts';
import { hasRules, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { isDict, isList } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';
import { isRemoteContext, isRemoteResource } from '../remote.ts';
import { expandHome, isAbsolutePath, isWindowsAbsolutePath, joinPath } from './posix.ts';

type Resolve = {
  /** The folder that relative paths start from; may itself be relative, for a file that is included. */
  readonly folder: string;
  readonly home: string | undefined;
  readonly report: Report;
  /** Follows the first link in a path of `develop.watch`; the host knows it. */
  readonly followLink: (path: string) => string;
};
type PathRule = (value: Value, context: Resolve, place: { readonly container: Dict | List; readonly key: string | number; readonly path: string }) => Value;

const pathRules = ruleTree<PathRule>({
  'services.*.build.context': contextPath,
  'services.*.build.additional_contexts.*': contextPath,
  'services.*.build.ssh.*': hostPath,
  'services.*.env_file.*.path': anyPath,
  'services.*.label_file.*': anyPath,
  'services.*.extends.file': (value, context) => (typeof value === 'string' && isRemoteResource(value) ? value : anyPath(value, context)),
  'services.*.develop.watch.*.path': (value, context) => {
    const path = anyPath(value, context);
    return typeof path === 'string' ? context.followLink(path) : path;
  },
  'services.*.volumes.*': mountPath,
  'configs.*.file': hostPath,
  'secrets.*.file': hostPath,
  'volumes.*': driverPath,
});

/** Makes the relative paths of a model start from `folder`, in place. */
export function resolvePaths(model: Dict, context: Resolve): void {
  walk(model, pathRules, [], context);
}

function walk(container: Dict | List, tree: RuleTree<PathRule>, path: string[], context: Resolve): void {
  const visit = (key: string | number, next: RuleTree<PathRule> | undefined, value: Value, set: (made: Value) => void): void => {
    if (!hasRules(next)) return;
    path.push(typeof key === 'number' ? `[${key}]` : key);
    if (next.rule !== undefined) set(next.rule(value, context, { container, key, path: path.join('.') }));
    else if (isDict(value) || isList(value)) walk(value, next, path, context);
    path.pop();
  };
  if (isList(container)) {
    container.forEach((value, index) => {
      visit(index, step(tree, '[]'), value, (made) => {
        container[index] = made;
      });
    });
    return;
  }
  for (const key of Object.keys(container)) {
    visit(key, step(tree, key), container[key] ?? null, (made) => {
      container[key] = made;
    });
  }
}

function anyPath(value: Value, { folder, home }: Resolve): Value {
  if (typeof value !== 'string' || value === '') return value;
  const path = expandHome(value, home);
  return isAbsolutePath(path) ? path : joinPath(folder, path);
}

/** Also absolute: a path of Windows, for an engine on another system. */
function hostPath(value: Value, { folder, home }: Resolve): Value {
  if (typeof value !== 'string') return value;
  const path = expandHome(value, home);
  return isAbsolutePath(path) || isWindowsAbsolutePath(path) ? path : joinPath(folder, path);
}

function contextPath(value: Value, context: Resolve): Value {
  if (typeof value !== 'string' || value.includes('://') || value.startsWith('service:') || isRemoteContext(value)) return value;
  return anyPath(value, context);
}

function mountPath(value: Value, context: Resolve, place: Parameters<PathRule>[2]): Value {
  if (!isDict(value) || value['type'] !== 'bind') return value;
  if (!('source' in value)) {
    context.report.errorAt(place, { code: 'SPEC_BAD_VALUE', message: `${place.path}: a bind mount needs a source`, hint: 'Add `source:` with a path of the host.' });
    return value;
  }
  value['source'] = hostPath(value['source'] ?? null, context);
  return value;
}

/** A local volume with `o: bind` is a bind mount under another name. */
function driverPath(value: Value, context: Resolve): Value {
  const options = isDict(value) && value['driver'] === 'local' ? value['driver_opts'] : undefined;
  if (isDict(options) && options['o'] === 'bind' && 'device' in options) options['device'] = hostPath(options['device'] ?? null, context);
  return value;
}
