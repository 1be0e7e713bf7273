import type { Report } from './report.ts';
import { LoadStopped } from './session.ts';
import type { Session } from './session.ts';
import { isDict, newDict } from './source/values.ts';
import type { Dict, Value } from './source/values.ts';

/** Keys of a service that hold other names, and what is left of an entry that can't be read: the name alone still says something. */
const namedEntries: Readonly<Record<string, () => Dict | null>> = { networks: () => null, models: () => null, depends_on: newDict };
const sections: readonly string[] = ['services', 'networks', 'volumes', 'secrets', 'configs', 'models'];

/**
 * After a phase that found errors: takes what it refused out of the model, so that the next phases can say what else is wrong. Names stay,
 * so that nobody misses them. What the holes themselves make look wrong is not told (Report.isFollowUp).
 * Throws LoadStopped where too much would be missing to say anything sensible.
 */
export function salvage(session: Session, model: Dict): void {
  const { report } = session;
  if (!report.hasOpenErrors) return;
  const open = report.settle();
  if (open === null || !session.phases.validate || open.some((path) => !takeOut(model, stepsOf(model, path), report))) throw new LoadStopped();
  if (Object.keys(model).length === 0) throw new LoadStopped();
}

/** Answers false where the rest makes no sense without it. */
function takeOut(model: Dict, steps: readonly string[], report: Report): boolean {
  const [section = '', name, key, entry, inner] = steps;
  if (name === undefined) {
    if (sections.includes(section) || section === '' || section === 'include') return false;
    // What stood below a misspelt `networks:` is missed everywhere.
    if (isDict(model[section])) report.areNamesUnsure = true;
    delete model[section];
    return true;
  }
  const parts = model[section];
  if (!sections.includes(section) || !isDict(parts)) return false;
  const part = parts[name];
  // What is taken from a base, before it was laid under others, is missed by them too.
  if (key === 'extends' || Object.values(parts).some((one) => isDict(one) && 'extends' in one)) report.areBasesUnsure = true;
  if (!isDict(part) || key === undefined || key === 'profiles') {
    parts[name] = section === 'services' ? stub() : newDict();
    return true;
  }
  const entries = part[key];
  if (section !== 'services' || entry === undefined || !Object.hasOwn(namedEntries, key) || !isDict(entries)) delete part[key];
  else {
    const held = entries[entry];
    if (inner !== undefined && isDict(held)) delete held[inner];
    else entries[entry] = namedEntries[key]?.() ?? null;
  }
  return true;
}

/** A service that nothing more can be said about. */
function stub(): Dict {
  const service = newDict();
  service['image'] = 'none';
  return service;
}

/** The names along a path, down to the first list. A name may have dots itself. */
function stepsOf(model: Dict, path: string): readonly string[] {
  const steps: string[] = [];
  let at: Dict | undefined = model;
  let rest = path;
  while (rest !== '' && at !== undefined) {
    const known: string | undefined = Object.keys(at).filter((key) => rest === key || rest.startsWith(`${key}.`) || rest.startsWith(`${key}[`)).sort((a, b) => b.length - a.length)[0];
    const name = known ?? rest.split(/[.[]/)[0] ?? rest;
    steps.push(name);
    rest = rest.slice(name.length).replace(/^\./, '');
    const child: Value | undefined = known === undefined ? undefined : at[known];
    at = isDict(child) ? child : undefined;
  }
  return steps;
}
