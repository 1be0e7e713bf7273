import type { Service } from '../../model/project.ts';

/** The services whose namespaces a service's containers join. `mustRun`: joining needs a process, not only a namespace. */
export function namespaceServices(spec: Service): { readonly serviceName: string; readonly mustRun: boolean }[] {
  const found: { serviceName: string; mustRun: boolean }[] = [];
  for (const [mode, mustRun] of [[spec.network_mode, false], [spec.ipc, true], [spec.pid, true]] as const) {
    if (mode?.startsWith('service:') === true) found.push({ serviceName: mode.slice('service:'.length), mustRun });
  }
  return found;
}

/** `own`: interfaces of its own on the networks it names. */
export function networkKindOf(spec: Service): 'own' | 'host' | 'shared' | 'none' {
  const mode = spec.network_mode;
  if (mode === 'host') return 'host';
  if (mode === 'none') return 'none';
  if (mode?.startsWith('service:') === true || mode?.startsWith('container:') === true) return 'shared';
  return 'own';
}

/** The keys of the networks that a service is on, first the one whose interface is eth0: by priority, then by name. */
export function networkKeysOf(spec: Service): string[] {
  if (networkKindOf(spec) !== 'own') return [];
  const networks = spec.networks ?? { default: null };
  return Object.keys(networks).sort((a, b) => (networks[b]?.priority ?? 0) - (networks[a]?.priority ?? 0) || (a < b ? -1 : 1));
}
