import { AppError, isAppError } from '../base/app-error.ts';
import { rootDirOf, socketPathOf } from '../base/daemon-dirs.ts';
import { readDockerConfig } from './docker-config.ts';
import { isServiceEnabled, startDaemon, startService } from '../os/daemon-start.ts';
import { realClock } from '../os/real-clock.ts';
import { type ApiClient, createApiClient } from '../wire/http-client.ts';

type Env = Readonly<Record<string, string | undefined>>;

/**
 * Whoever has pointed Docker's command at another machine expects the change there: it isn't made here instead. A socket of this machine is
 * that of another engine, and no obstacle.
 */
export function refuseOtherMachine(env: Env): void {
  if ((env['FLOTILLA_SOCKET'] ?? '') !== '') return;
  const refuse = (name: string, value: string): never => {
    throw new AppError({ code: 'CLI_NOT_YET', message: `${name} is ${value}, and this version works on its own machine only`, hint: `unset ${name}` });
  };
  const context = env['DOCKER_CONTEXT'] ?? '';
  if (context !== '' && context !== 'default') refuse('DOCKER_CONTEXT', context);
  const host = env['DOCKER_HOST'] ?? '';
  if (context === '' && host !== '' && !host.startsWith('unix://')) refuse('DOCKER_HOST', host.replace(/\/\/[^/]*@/, '//'));
  if (context !== '' || host !== '') return;
  const chosen = readDockerConfig(env).remoteContext;
  if (chosen === null) return;
  throw new AppError({ code: 'CLI_NOT_YET', message: `docker's current context is ${chosen.name} (${chosen.host}), and this version works on its own machine only`, hint: 'for this machine: DOCKER_CONTEXT=default flotilla …, or for good: docker context use default' });
}

export async function connectIfRunning(env: Env): Promise<ApiClient | null> {
  const client = createApiClient({ socketPath: socketPathOf(env) });
  return (await answers(client)) ? client : null;
}

/**
 * A client that starts the daemon at the first call that finds none. The usual case costs nothing: the call itself is the question.
 */
export function connectOrStart(env: Env): ApiClient {
  refuseOtherMachine(env);
  const client = createApiClient({ socketPath: socketPathOf(env) });
  let isKnown = false;
  let starting: Promise<void> | undefined;
  const start = async (error: unknown): Promise<void> => {
    // NOTE: it is thrown before anything was sent, so asking again does nothing twice.
    if (!isAppError(error, 'WIRE_NO_DAEMON') || (isKnown && starting === undefined)) throw error;
    // Of several calls at a time each finds none.
    starting ??= startNow();
    await starting;
  };
  const startNow = async (): Promise<void> => {
    if (process.getuid?.() !== 0) throw new AppError({ code: 'CLI_DAEMON_NOT_STARTED', message: `no daemon answers at ${socketPathOf(env)}, and only root can start one`, hint: 'sudo flotilla …, or for good: sudo systemctl enable --now flotilla' });
    if (isServiceEnabled(env)) await startService();
    else await startOrJoin(client, env);
    if (!(await answers(client))) throw new AppError({ code: 'CLI_DAEMON_NOT_STARTED', message: 'the daemon was started but does not answer', hint: 'flotilla doctor' });
  };
  const orStart = async <T>(call: () => Promise<T>): Promise<T> => {
    try {
      const value = await call();
      isKnown = true;
      return value;
    } catch (error) {
      await start(error);
      return call();
    }
  };
  return {
    call: (...args) => orStart(() => client.call(...args)),
    upgrade: (path) => orStart(() => client.upgrade(path)),
    lines: async function* (...args) {
      const first = await orStart(async () => {
        const lines = client.lines(...args);
        return { lines, result: await lines.next() };
      });
      if (first.result.done === true) return;
      try {
        yield first.result.value;
        yield* first.lines;
      } finally {
        await first.lines.return();
      }
    },
  };
}

/**
 * Two commands may start a daemon at a time: the one whose daemon comes second waits for the first's. One that was killed holds its locks for
 * as long as it takes to end. Errors: OS_DAEMON_START.
 */
async function startOrJoin(client: ApiClient, env: Env): Promise<void> {
  const untilMs = realClock.monotonicMs() + joinMsMax;
  for (;;) {
    const locked = await startDaemon({ script: daemonScript(process.argv[1] ?? ''), logDir: rootDirOf(env), env });
    if (locked === null) return;
    await realClock.sleep(joinPollMs);
    if (await answers(client)) return;
    if (realClock.monotonicMs() > untilMs) throw locked;
  }
}

const joinMsMax = 5_000;
const joinPollMs = 100;

async function answers(client: ApiClient): Promise<boolean> {
  try {
    await client.call('GET', '/v1/ping');
    return true;
  } catch (error) {
    if (isAppError(error, 'WIRE_NO_DAEMON')) return false;
    throw error;
  }
}

/** The daemon's script beside the command's: in the bundle, or in the sources. */
function daemonScript(own: string): string {
  const dir = own.slice(0, own.lastIndexOf('/'));
  return own.endsWith('.ts') ? `${dir}/../daemon/main.ts` : `${dir}/daemon.js`;
}
