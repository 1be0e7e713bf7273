type Env = Readonly<Record<string, string | undefined>>;

/** The daemon's data directory: FLOTILLA_ROOT. */
export function rootDirOf(env: Env): string {
  return env['FLOTILLA_ROOT'] ?? '/var/lib/flotilla';
}

/** Where the daemon keeps what is to be gone after a reboot: FLOTILLA_RUN. */
export function runDirOf(env: Env): string {
  return env['FLOTILLA_RUN'] ?? '/run/flotilla';
}

/** Where the daemon listens: FLOTILLA_SOCKET, or flotilla.sock in the run directory. */
export function socketPathOf(env: Env): string {
  return env['FLOTILLA_SOCKET'] ?? `${runDirOf(env)}/flotilla.sock`;
}
