import { AppError } from '../base/app-error.ts';
import { limits } from '../base/limits.ts';
import { jsonLog } from '../base/log.ts';
import { daemonUsage, lockedExitCode } from '../os/daemon-start.ts';
import { openOwnLog } from '../os/own-log.ts';
import { isMachineGoingDown } from '../os/going-down.ts';
import { tellReady } from '../os/ready-fd.ts';
import { startDaemon } from './compose-root.ts';
import { readConfig } from './config.ts';

/** `flotilla daemon`: runs until SIGTERM or SIGINT; containers run on without it, unless the machine goes down. */
async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help') || args.includes('-h')) return void process.stdout.write(daemonUsage);
  if (process.getuid?.() !== 0) throw new AppError({ code: 'DAEMON_NOT_ROOT', message: 'the daemon makes namespaces, mounts and networks: it needs root', hint: 'sudo flotilla daemon' });
  const { readyFd, logFile } = readArguments(args);
  const config = await readConfig(process.env);
  const write = openOwnLog({ fd: 2, file: logFile, bytesMax: limits.daemonLogBytesMax, lost: (lines) => `${JSON.stringify({ time: new Date().toISOString(), level: 'warn', event: 'daemon.log-lines-lost', lines })}\n` });
  const log = jsonLog({ write, nowMs: () => Date.now(), level: config.logLevel });
  process.on('unhandledRejection', (error) => log.error('daemon.unhandled', { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }));
  const daemon = await startDaemon({
    config, env: process.env, log,
    onFatal: (error) => {
      // What the store promised can't be kept any more: end now, so that nothing more is promised. Containers stay.
      log.error('daemon.fatal', { code: error.code, error: error.message, hint: error.hint });
      process.exit(1);
    },
  });
  const stop = (): void => {
    void isMachineGoingDown().then((withContainers) => daemon.close({ withContainers })).then(() => process.exit(0), (error: unknown) => {
      log.error('daemon.close-failed', { error: String(error) });
      process.exit(1);
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('SIGHUP', () => undefined);
  tellReady(readyFd, process.env['NOTIFY_SOCKET']);
}

/** How whoever starts the daemon speaks with it: the descriptor that is to hear of it, and the file that standard error leads to. */
function readArguments(args: readonly string[]): { readonly readyFd: number | null; readonly logFile: string | null } {
  const rest = args[0] === 'daemon' ? args.slice(1) : [...args];
  let [readyFd, logFile]: [number | null, string | null] = [null, null];
  for (let at = 0; at < rest.length; at += 2) {
    const [name, value = ''] = rest.slice(at, at + 2);
    if (name === '--ready-fd' && /^\d+$/.test(value)) readyFd = Number(value);
    else if (name === '--log-file' && value.startsWith('/')) logFile = value;
    else throw new AppError({ code: 'DAEMON_USAGE', message: `flotilla daemon takes no such arguments: ${rest.join(' ')}`, hint: 'its settings are in /etc/flotilla/config.json and FLOTILLA_ROOT, FLOTILLA_RUN, FLOTILLA_SOCKET' });
  }
  return { readyFd, logFile };
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const text = error instanceof AppError ? `${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}` : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`flotilla daemon: ${text}\n`);
  process.exit(!(error instanceof AppError) ? 1 : error.code === 'DAEMON_USAGE' ? 3 : error.code === 'OS_DATA_DIR_LOCKED' ? lockedExitCode : 1);
}
