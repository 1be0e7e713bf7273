import type { Report } from '../report.ts';
import { hasRules, ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { isDict, isList } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';
import { buildForm, dependsOnForm, deviceForm, envFileForm, extendsForm, gpusForm, keyValueForm, mountForm, namesForm, fileForm, portsForm, resourceForm, sshForm, textForm, textListForm, ulimitForm } from './forms.ts';
import type { Short } from './short.ts';

type Form = { readonly rewrite: (short: Short) => Value; readonly isDeep?: boolean };

/** Keys with a short form. Only where `isDeep`, keys below are looked at too. Source: Compose spec; compose-go transform (which keys). */
const forms: Readonly<Record<string, Form>> = {
  'services.*': { rewrite: ({ value }) => value, isDeep: true },
  'services.*.build': { rewrite: buildForm, isDeep: true },
  'services.*.build.secrets.*': { rewrite: fileForm },
  'services.*.build.provenance': { rewrite: textForm },
  'services.*.build.sbom': { rewrite: textForm },
  'services.*.build.additional_contexts': { rewrite: keyValueForm },
  'services.*.build.ssh': { rewrite: sshForm },
  'services.*.build.ulimits.*': { rewrite: ulimitForm },
  'services.*.depends_on': { rewrite: dependsOnForm },
  'services.*.env_file': { rewrite: envFileForm },
  'services.*.label_file': { rewrite: textListForm },
  'services.*.extends': { rewrite: extendsForm },
  'services.*.gpus': { rewrite: gpusForm },
  'services.*.networks': { rewrite: namesForm },
  'services.*.models': { rewrite: namesForm },
  'services.*.volumes.*': { rewrite: mountForm },
  'services.*.dns': { rewrite: textListForm },
  'services.*.devices.*': { rewrite: deviceForm },
  'services.*.secrets.*': { rewrite: fileForm },
  'services.*.configs.*': { rewrite: fileForm },
  'services.*.ports': { rewrite: portsForm },
  'services.*.ulimits.*': { rewrite: ulimitForm },
  'services.*.develop.watch.*.ignore': { rewrite: textListForm },
  'services.*.develop.watch.*.include': { rewrite: textListForm },
  'volumes.*': { rewrite: resourceForm },
  'networks.*': { rewrite: resourceForm },
  'secrets.*': { rewrite: resourceForm },
  'configs.*': { rewrite: resourceForm },
};
const formRules = ruleTree(forms);

/** Brings a model into the long form of every key, in place. */
export function canonicalize(model: Dict, report: Report, isLenient: boolean): void {
  walk(model, formRules, [], { report, isLenient });
  dropEmptyDns(model);
}

/** One rule alone, for a value at a path. */
export function canonicalValue(pattern: string, short: Short): Value {
  return forms[pattern]?.rewrite(short) ?? short.value;
}

function walk(container: Dict | List, tree: RuleTree<Form>, path: string[], options: Pick<Short, 'report' | 'isLenient'>): void {
  const visit = (key: string | number, name: string, next: RuleTree<Form> | undefined, value: Value, set: (made: Value) => void): void => {
    if (!hasRules(next)) return;
    path.push(name);
    const made = next.rule === undefined ? value : next.rule.rewrite({ value, container, key, path: path.join('.'), ...options });
    if (made !== value) {
      set(made);
      if (isDict(made) || isList(made)) options.report.origins.expand(made, container, key);
    }
    if ((next.rule === undefined || next.rule.isDeep === true) && (isDict(made) || isList(made))) walk(made, next, path, options);
    path.pop();
  };
  if (isList(container)) {
    const next = step(tree, '[]');
    container.forEach((value, index) => {
      visit(index, `[${index}]`, next, value, (made) => {
        container[index] = made;
      });
    });
    return;
  }
  for (const key of Object.keys(container)) {
    visit(key, key, step(tree, key), container[key] ?? null, (made) => {
      container[key] = made;
    });
  }
}

/** Empty entries of `dns` mean nothing (an unset variable); the reference drops them here. */
function dropEmptyDns(model: Dict): void {
  const services = model['services'];
  if (!isDict(services)) return;
  for (const service of Object.values(services)) {
    const dns = isDict(service) ? service['dns'] : undefined;
    if (isDict(service) && isList(dns) && dns.some((one) => one === '' || one === null)) service['dns'] = dns.filter((one) => one !== '' && one !== null);
  }
}
