import type { Project, Service } from '../model/project.ts';
import type { Loaded } from './input.ts';
import { serviceHash } from './hash.ts';
import { extractVariables } from './interpolate/variables.ts';
import { printValueJson } from './print/json.ts';

/** The lists of `config --services`, `--volumes` and the like: one name a line. */
export type NameList = 'services' | 'volumes' | 'networks' | 'models' | 'profiles' | 'images';

export function namesOf(loaded: Pick<Loaded, 'project' | 'disabledServices'>, list: NameList): string[] {
  const { project } = loaded;
  switch (list) {
    case 'services':
      return inDependencyOrder(project);
    case 'profiles':
      return [...new Set([...Object.values(project.services), ...Object.values(loaded.disabledServices)].flatMap((service) => service.profiles ?? []))].sort();
    case 'images':
      return Object.keys(project.services).sort().map((name) => imageOf(project, name));
    default:
      return Object.keys(project[list] ?? {}).sort();
  }
}

/** The image of a service; one that is built and not named is called after the project and the service. */
export function imageOf(project: Project, name: string): string {
  return project.services[name]?.image ?? `${project.name}-${name}`;
}

/** `name hash` of each wanted service (`*`: all), or the first name that is not there. */
export function hashesOf(project: Project, wanted: string): { readonly lines: readonly string[] } | { readonly unknown: string } {
  const names = wanted === '*' ? Object.keys(project.services).sort() : wanted.split(',');
  const unknown = names.find((name) => project.services[name] === undefined);
  if (unknown !== undefined) return { unknown };
  return { lines: names.flatMap((name) => (project.services[name] === undefined ? [] : [`${name} ${serviceHash(project.services[name])}`])) };
}

/** Every variable that the files mention, as a table or as JSON. */
export function variablesText(model: unknown, format: 'table' | 'json'): string {
  const uses = [...extractVariables(model).values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  if (format === 'json') {
    const all = Object.fromEntries(uses.map((use) => [use.name, { Name: use.name, DefaultValue: use.defaultValue, PresenceValue: use.presenceValue, Required: use.isRequired }]));
    return `${JSON.stringify(all, null, 4)}\n`;
  }
  const rows = [['NAME', 'REQUIRED', 'DEFAULT VALUE', 'ALTERNATE VALUE'], ...uses.map((use) => [use.name, String(use.isRequired), use.defaultValue, use.presenceValue])];
  const widths = [0, 1, 2].map((column) => Math.max(20, ...rows.map((row) => (row[column] ?? '').length + 3)));
  return rows.map((row) => `${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('').trimEnd()}\n`).join('');
}

export function environmentText(environment: ReadonlyMap<string, string>, format: 'lines' | 'json'): string {
  const entries = [...environment].sort(([a], [b]) => (a < b ? -1 : 1));
  if (format === 'json') return `${printValueJson(Object.fromEntries(entries), { indent: 2, escapeDollars: false })}\n`;
  return entries.map(([name, value]) => `${name}=${value}\n`).join('');
}

/** Services so that each comes after those that it depends on, and otherwise by name. */
function inDependencyOrder(project: Project): string[] {
  const order: string[] = [];
  const seen = new Set<string>();
  for (const root of Object.keys(project.services).sort()) {
    const stack: { readonly name: string; readonly next: string[] }[] = [];
    const enter = (name: string): void => {
      if (seen.has(name) || project.services[name] === undefined) return;
      seen.add(name);
      stack.push({ name, next: dependenciesOf(project.services[name]) });
    };
    enter(root);
    for (let top = stack.at(-1); top !== undefined; top = stack.at(-1)) {
      const next = top.next.shift();
      if (next !== undefined) enter(next);
      else {
        order.push(top.name);
        stack.pop();
      }
    }
  }
  return order;
}

function dependenciesOf(service: Service): string[] {
  return Object.keys(service.depends_on ?? {}).sort();
}
