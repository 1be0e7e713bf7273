import type { Service } from '../../model/project.ts';

/** What has its effect on a cluster too, but ties a service to one node or to what is on it. By paths below the service; `*` is any item. */
export const ties: Readonly<Record<string, { readonly reason: string; readonly applies?: (value: unknown) => boolean }>> = {
  container_name: { reason: 'the name allows only one copy in the whole cluster' },
  cpuset: { reason: 'a node has its own processors: the numbers must mean the same everywhere' },
  devices: { reason: 'the device must exist on every node the service may run on' },
  ipc: { reason: 'both services must run on the same node', applies: isOther },
  pid: { reason: 'both services must run on the same node', applies: isOther },
  network_mode: { reason: 'the service uses the network of its node, or of another service there: two copies can\'t share a port', applies: (value) => value === 'host' || isOther(value) },
  'volumes.*.type': { reason: 'the path must exist on every node the service may run on', applies: (value) => value === 'bind' },
};

export type Tie = { readonly path: readonly string[]; readonly reason: string };

/** The ties of one service. */
export function tiesOf(name: string, service: Service): Tie[] {
  const found: Tie[] = [];
  for (const [key, tie] of Object.entries(ties)) {
    for (const { path, value } of valuesAt(service, key.split('.'), ['services', name])) {
      if (tie.applies === undefined ? asksForSomething(value) : tie.applies(value)) found.push({ path, reason: tie.reason });
    }
  }
  return found;
}

type Found = { readonly path: readonly string[]; readonly value: unknown };

function valuesAt(value: unknown, steps: readonly string[], path: readonly string[]): Found[] {
  const [step, ...rest] = steps;
  if (step === undefined) return [{ path, value }];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).filter(([key]) => step === '*' || key === step).flatMap(([key, inner]) => valuesAt(inner, rest, [...path, key]));
}

function isOther(value: unknown): boolean {
  return typeof value === 'string' && /^(service|container):/.test(value);
}

function asksForSomething(value: unknown): boolean {
  return value !== undefined && value !== null && value !== '' && !(Array.isArray(value) && value.length === 0);
}
