import { join } from 'node:path';

/**
 * Where things lie. Below `dataRoot` what survives a reboot, below `runRoot` what does not:
 *
 *     dataRoot/containers/<id>/spec.json   what it was made from, without the content of secrets
 *                             /state.json  the phase it is in and how its last run went; written by rename
 *                             /files/<n>   injected files, mounted into the container
 *                             /logs/       container.log, container.log.1 …
 *     runRoot/boot                         the boot that everything below belongs to
 *            /bundles/<id>/                config.json, pid, conmon.pid, ctl, wanted, started: for one run of the container
 *            /state/<id>/                  the runtime's own
 *            /exits/<id>                   the exit code, written by the monitor
 *            /filters/<hash>               compiled seccomp filters
 *            /secrets/<id>/<n>             on a tmpfs
 */
export type Layout = ReturnType<typeof layoutOf>;
export type RunLayout = ReturnType<typeof runLayoutOf>;

export function layoutOf(roots: { readonly dataRoot: string; readonly runRoot: string; readonly cgroupParent: string }) {
  const { dataRoot, runRoot, cgroupParent } = roots;
  const containers = join(dataRoot, 'containers');
  const logs = (id: string): string => join(containers, id, 'logs');
  return {
    ...roots,
    containers,
    container: (id: string): string => join(containers, id),
    spec: (id: string): string => join(containers, id, 'spec.json'),
    state: (id: string): string => join(containers, id, 'state.json'),
    file: (id: string, index: number): string => join(containers, id, 'files', String(index)),
    files: (id: string): string => join(containers, id, 'files'),
    logs,
    log: (id: string): string => join(logs(id), 'container.log'),
    ...runLayoutOf(runRoot),
    cgroup: (id: string): string => `${cgroupParent}/${id}`,
  };
}

export function runLayoutOf(runRoot: string) {
  return {
    boot: join(runRoot, 'boot'),
    bundles: join(runRoot, 'bundles'),
    bundle: (id: string): string => join(runRoot, 'bundles', id),
    monitorPid: (id: string): string => join(runRoot, 'bundles', id, 'conmon.pid'),
    wanted: (id: string): string => join(runRoot, 'bundles', id, 'wanted'),
    started: (id: string): string => join(runRoot, 'bundles', id, 'started'),
    runtimeRoot: join(runRoot, 'state'),
    runtimeState: (id: string): string => join(runRoot, 'state', id),
    exits: join(runRoot, 'exits'),
    exit: (id: string): string => join(runRoot, 'exits', id),
    filters: join(runRoot, 'filters'),
    secretsRoot: join(runRoot, 'secrets'),
    secrets: (id: string): string => join(runRoot, 'secrets', id),
    secret: (id: string, index: number): string => join(runRoot, 'secrets', id, String(index)),
  };
}
