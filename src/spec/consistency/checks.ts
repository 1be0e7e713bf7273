import type { Report } from '../report.ts';
import { hasRules, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { isIpAddress } from '../short/port.ts';
import { isDict, isList } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';

/** A rule about one value that a schema can't say. Answers what is wrong, if anything. */
type Check = (value: Value, path: string) => { readonly message: string; readonly hint?: string } | undefined;

const checks: Readonly<Record<string, Check>> = {
  'volumes.*': externalAlone,
  'configs.*': oneSource(['file', 'environment', 'content']),
  'secrets.*': oneSource(['file', 'environment']),
  'services.*.ports.*': hostAddress,
  'services.*.develop.watch.*.path': notBlank,
  'services.*.deploy.resources.reservations.devices.*': countOrIds,
  'services.*.gpus.*': countOrIds,
};
const checkRules = ruleTree(checks);

/** Finds values that contradict themselves. Source: compose-go validation (which rules). */
export function checkValues(model: Dict, report: Report): void {
  walk(model, checkRules, [], report);
}

function walk(container: Dict | List, tree: RuleTree<Check>, path: string[], report: Report): void {
  const visit = (key: string | number, value: Value, next: RuleTree<Check> | undefined): void => {
    if (!hasRules(next)) return;
    path.push(typeof key === 'number' ? `[${key}]` : key);
    const where = path.join('.');
    const problem = next.rule?.(value, where);
    if (problem !== undefined) report.errorAt({ container, key, path: where }, { code: 'SPEC_CONFLICT', message: `${where}: ${problem.message}`, hint: problem.hint });
    if (next.rule === undefined && (isDict(value) || isList(value))) walk(value, next, path, report);
    path.pop();
  };
  if (isList(container)) container.forEach((value, index) => visit(index, value, step(tree, '[]')));
  else for (const key of Object.keys(container)) visit(key, container[key] ?? null, step(tree, key));
}

function externalAlone(value: Value): ReturnType<Check> {
  if (!isDict(value) || value['external'] !== true) return undefined;
  const other = Object.keys(value).find((key) => key !== 'name' && key !== 'external' && !key.startsWith('x-'));
  return other === undefined ? undefined : { message: `\`external\` and \`${other}\` exclude each other`, hint: 'An external volume is not made by Flotilla: give its name only.' };
}

function oneSource(keys: readonly string[]): Check {
  return (value) => {
    const found = isDict(value) ? keys.filter((key) => key in value) : [];
    if (found.length > 1) return { message: `${found.join(' and ')} exclude each other`, hint: `Keep one of ${keys.join(', ')}.` };
    if (found.length === 1 || (isDict(value) && ('driver' in value || 'external' in value))) return undefined;
    return { message: `one of ${keys.join(', ')} must be set`, hint: `Write for example \`file: ./secret.txt\`.` };
  };
}

function hostAddress(value: Value): ReturnType<Check> {
  const address = isDict(value) && 'host_ip' in value ? value['host_ip'] : undefined;
  return address === undefined || (typeof address === 'string' && isIpAddress(address)) ? undefined : { message: `\`${String(address)}\` is not an IP address` };
}

function notBlank(value: Value): ReturnType<Check> {
  return value === '' ? { message: 'the path is empty' } : undefined;
}

function countOrIds(value: Value): ReturnType<Check> {
  return isDict(value) && 'count' in value && 'device_ids' in value ? { message: '`count` and `device_ids` exclude each other', hint: 'Keep one of them.' } : undefined;
}
