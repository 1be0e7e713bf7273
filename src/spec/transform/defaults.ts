import { hasRules, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { isDict, isList, textOf } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** Fills what a mapping leaves out; keys below such a mapping get none. Source: compose-go transform (which keys). */
type Fill = (mapping: Dict) => void;

const fills: Readonly<Record<string, Fill>> = {
  'services.*.build': (build) => setDefault(build, 'context', '.'),
  'services.*.secrets.*': (secret) => setDefault(secret, 'target', `/run/secrets/${textOf(secret['source'] ?? null)}`),
  'services.*.ports.*': (port) => {
    setDefault(port, 'protocol', 'tcp');
    setDefault(port, 'mode', 'ingress');
  },
  'services.*.deploy.resources.reservations.devices.*': allDevices,
  'services.*.gpus.*': allDevices,
  'services.*.volumes.*.bind': (bind) => setDefault(bind, 'create_host_path', true),
};

/** Sets default values in a model in its long form, in place. `extra` adds rules to the table. */
export function setDefaults(model: Dict, extra: Readonly<Record<string, Fill>> = {}): void {
  walk(model, Object.keys(extra).length === 0 ? fillRules : ruleTree({ ...fills, ...extra }));
}

const fillRules = ruleTree(fills);

function walk(container: Dict | List, tree: RuleTree<Fill>): void {
  const visit = (value: Value, next: RuleTree<Fill> | undefined): void => {
    if (!hasRules(next)) return;
    if (next.rule !== undefined) {
      if (isDict(value)) next.rule(value);
    } else if (isDict(value) || isList(value)) walk(value, next);
  };
  if (isList(container)) for (const value of container) visit(value, step(tree, '[]'));
  else for (const key of Object.keys(container)) visit(container[key] ?? null, step(tree, key));
}

function setDefault(mapping: Dict, key: string, value: Value): void {
  if (!(key in mapping)) mapping[key] = value;
}

function allDevices(request: Dict): void {
  if (!('count' in request) && !('device_ids' in request)) request['count'] = 'all';
}
