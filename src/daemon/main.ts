import { AppError } from '../base/app-error.ts';
import { jsonLog } from '../base/log.ts';
import { tellReady } from '../os/ready-fd.ts';
import { startDaemon } from './compose-root.ts';
import { readConfig } from './config.ts';

/** `flotilla daemon`: runs until SIGTERM or SIGINT; containers run on without it. */
async function main(args: readonly string[]): Promise<void> {
  if (process.getuid?.() !== 0) throw new AppError({ code: 'DAEMON_NOT_ROOT', message: 'the daemon makes namespaces, mounts and networks: it needs root', hint: 'sudo flotilla daemon' });
  const readyFd = readReadyFd(args);
  const config = await readConfig(process.env);
  const log = jsonLog({ write: (line) => void process.stderr.write(line), nowMs: () => Date.now(), level: config.logLevel });
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
    void daemon.close().then(() => process.exit(0), (error: unknown) => {
      log.error('daemon.close-failed', { error: String(error) });
      process.exit(1);
    });
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.on('SIGHUP', () => undefined);
  tellReady(readyFd, process.env['NOTIFY_SOCKET']);
}

function readReadyFd(args: readonly string[]): number | null {
  const rest = args[0] === 'daemon' ? args.slice(1) : args;
  if (rest.length === 0) return null;
  if (rest.length === 2 && rest[0] === '--ready-fd' && /^\d+$/.test(rest[1] ?? '')) return Number(rest[1]);
  throw new AppError({ code: 'DAEMON_USAGE', message: `flotilla daemon takes no such arguments: ${rest.join(' ')}`, hint: 'its settings are in /etc/flotilla/config.json and FLOTILLA_ROOT, FLOTILLA_RUN, FLOTILLA_SOCKET' });
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const text = error instanceof AppError ? `${error.code}: ${error.message}${error.hint === undefined ? '' : `\n  hint: ${error.hint}`}` : error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(`flotilla daemon: ${text}\n`);
  process.exit(error instanceof AppError && error.code === 'DAEMON_USAGE' ? 3 : 1);
}
