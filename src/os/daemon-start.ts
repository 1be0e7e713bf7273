import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { resolve as resolvePath } from 'node:path';
import { AppError } from '../base/app-error.ts';

/** The daemon's, where another process uses its directories. */
export const lockedExitCode = 4;

export const daemonUsage = `Usage: flotilla daemon

Run the daemon in the foreground, until SIGTERM or Ctrl-C. Containers run on without it, and the next one adopts them.
It needs root. Any command that finds no daemon starts one; at boot systemd does: sudo systemctl enable --now flotilla

Settings (docs/configuration.md):
  /etc/flotilla/config.json   registries, proxies, address pools, log level
  FLOTILLA_ROOT               data directory (default /var/lib/flotilla)
  FLOTILLA_RUN                run directory, on a tmpfs (default /run/flotilla)
  FLOTILLA_SOCKET             the socket (default $FLOTILLA_RUN/flotilla.sock)
  FLOTILLA_CONFIG             another file than the above

Options:
  --log-file <file>   where standard error leads to, so that it can be kept small
  --ready-fd <fd>     written to once it is ready
  -h, --help          display help for command
`;

/**
 * Starts the daemon in a session of its own and resolves when it says on descriptor 3 that it is ready: to null, or to the error where
 * another has locked its directories. Errors: OS_DAEMON_START with the end of its log, when it ends before that.
 */
export function startDaemon(options: { readonly script: string; readonly logDir: string; readonly env: Readonly<Record<string, string | undefined>> }): Promise<AppError | null> {
  mkdirSync(options.logDir, { recursive: true, mode: 0o700 });
  const logFile = resolvePath(options.logDir, 'daemon.log');
  const log = openSync(logFile, 'a', 0o600);
  // NOTE: without its own session a Ctrl-C of the terminal would reach the daemon too; `/` so that it keeps no directory busy.
  const child = spawn(process.execPath, ['--max-semi-space-size=2', '--v8-pool-size=1', options.script, 'daemon', '--ready-fd', '3', '--log-file', logFile], { detached: true, cwd: '/', env: { ...options.env, MALLOC_ARENA_MAX: '2' }, stdio: ['ignore', log, log, 'pipe'] });
  closeSync(log);
  return new Promise((resolve, reject) => {
    const failure = (why: string): AppError => new AppError({ code: 'OS_DAEMON_START', message: `the daemon did not start: ${why}`, hint: lastLines(logFile) });
    child.once('error', (error) => reject(failure(error.message)));
    child.once('exit', (code, signal) => {
      const error = failure(`it ended with ${signal ?? `code ${code ?? 0}`}`);
      if (code === lockedExitCode) resolve(error);
      else reject(error);
    });
    const ready = child.stdio[3];
    ready?.once('data', () => {
      ready.destroy();
      child.removeAllListeners('exit');
      child.unref();
      resolve(null);
    });
  });
}

/** Whether systemd starts the daemon at boot, with the settings that `env` asks for too. */
export function isServiceEnabled(env: Readonly<Record<string, string | undefined>>): boolean {
  const isOwn = Object.entries(env).some(([name, value]) => name.startsWith('FLOTILLA_') && value !== undefined);
  return !isOwn && existsSync('/run/systemd/system') && existsSync('/etc/systemd/system/multi-user.target.wants/flotilla.service');
}

/** Starts the daemon as the service and resolves when it is ready. Errors: OS_DAEMON_START. */
export function startService(): Promise<void> {
  // NOTE: with what asks for passwords, its output would go to the terminal.
  const child = spawn('systemctl', ['start', '--no-ask-password', 'flotilla.service'], { stdio: 'ignore' });
  return new Promise((resolve, reject) => {
    const failed = (why: string): void => reject(new AppError({ code: 'OS_DAEMON_START', message: `the service flotilla did not start: ${why}`, hint: 'journalctl -u flotilla -n 20' }));
    child.once('error', (error) => failed(error.message));
    child.once('exit', (code, signal) => {
      if (code === 0) resolve();
      else failed(`systemctl ended with ${signal ?? `code ${code ?? 0}`}`);
    });
  });
}

function lastLines(file: string): string {
  try {
    return `the end of ${file}:\n${readFileSync(file, 'utf8').trimEnd().split('\n').slice(-5).map((line) => `    ${line}`).join('\n')}`;
  } catch {
    return `see ${file}`;
  }
}
