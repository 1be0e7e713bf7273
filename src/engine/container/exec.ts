import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { processId, signalProcess } from '../../os/process-handle.ts';
import { openPty, resizeTerminalOf } from '../../os/pty.ts';
import type { Pty } from '../../os/pty.ts';
import { existsQuick, readQuick, removeQuick, writeQuick } from '../../os/quick-files.ts';
import { rawTerminal } from '../../os/raw-terminal.ts';
import { closeRootfs, openRootfs, readTextInside } from '../../os/rootfs.ts';
import { signalNumber, startChild } from '../../os/spawn.ts';
import type { Child } from '../../os/spawn.ts';
import type { ExecOptions, ExecSession } from '../engine.ts';
import { resolveCapabilities } from './capabilities.ts';
import type { EngineContext } from './engine-context.ts';
import { isRunning } from './entry.ts';
import type { Entry } from './entry.ts';
import { type ComplaintFilter, complaintFilter, type ExecFiles as Files, type NotRun } from './exec-complaint.ts';
import { rlimits } from './oci-resources.ts';
import { capabilitySets, containerHostname } from './oci-spec.ts';
import type { OciProcess } from './oci-types.ts';
import { environment, workingDir } from './process.ts';
import { resolveUser } from './user.ts';

/**
 * Runs a command in a running container, under the container's own profile: its filter, its capabilities, its limits.
 * The runtime enters the namespaces; its descriptors are pipes, or a terminal of ours.
 * Errors: ENGINE_CONTAINER_NOT_RUNNING, ENGINE_USER_UNKNOWN, ENGINE_CONTAINER_SPEC. A command that can't be started
 * is an exit code, 126 or 127, and the session's `failure`.
 */
export async function execInContainer(context: EngineContext, entry: Entry, options: ExecOptions): Promise<ExecSession> {
  const { layout, runtime } = context;
  const run = entry.state.run;
  if (!isRunning(entry) || run === null) throw new AppError({ code: 'ENGINE_CONTAINER_NOT_RUNNING', message: `container ${entry.spec.name} does not run` });
  if (options.argv.length === 0 || options.argv[0] === '') throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${entry.spec.name}: there is no command to execute` });
  const process = execProcess(context, entry, options, run.pid);
  const base = `${layout.bundle(entry.id)}/exec-${Buffer.from(context.random.bytes(8)).toString('hex')}`;
  const files = { process: `${base}.json`, pid: `${base}.pid`, log: `${base}.log` };
  writeQuick(files.process, JSON.stringify(process));
  const argv = [runtime.path, `--root=${layout.runtimeRoot}`, `--log=${files.log}`, '--log-format=json', 'exec', '--process', files.process, '--pid-file', files.pid, entry.id];
  try {
    const filterOf: FilterOf = (pass) => complaintFilter(context.clock, files, { container: entry.spec.name, argv: options.argv, workingDir: process.cwd }, pass);
    const session = options.tty ? terminalSession(argv, files, options, filterOf) : pipeSession(argv, files, options, filterOf);
    return { ...session, started: () => startedOrOver(context.clock, files, session.exitCode) };
  } catch (error) {
    cleanUp(files);
    throw error;
  }
}

function execProcess(context: EngineContext, entry: Entry, options: ExecOptions, pid: number): OciProcess {
  const { spec } = entry;
  const image = entry.state.image.config;
  const root = openRootfs(`/proc/${pid}/root/.`);
  try {
    const wanted = options.user ?? spec.user ?? image.user;
    const user = resolveUser(wanted, spec.groupAdd, { passwd: readTextInside(root, 'etc/passwd'), group: readTextInside(root, 'etc/group') });
    const capabilities = resolveCapabilities({ add: spec.capAdd, drop: spec.capDrop, privileged: spec.privileged || options.privileged, lastCapability: context.machine.lastCapability, grantable: context.machine.grantable });
    const merged = { name: spec.name, tty: options.tty, environment: { ...spec.environment, ...options.environment } };
    return {
      terminal: options.tty,
      user: { uid: user.uid, gid: user.gid, additionalGids: user.additionalGids },
      args: options.argv,
      env: environment(merged, image, { hostname: containerHostname(spec, entry.id), home: user.home }),
      cwd: workingDir(options.workingDir ?? spec.workingDir, image),
      capabilities: capabilitySets(capabilities, user.uid),
      rlimits: rlimits(spec),
      noNewPrivileges: spec.noNewPrivileges,
    };
  } finally {
    closeRootfs(root);
  }
}

const startedPollMs = 5;

/** NOTE: the runtime says that the command runs by a file that it makes. Only who doesn't wait for the end asks. */
async function startedOrOver(clock: Clock, files: Files, exitCode: Promise<number>): Promise<void> {
  let isOver = false;
  const over = exitCode.then(() => undefined, () => undefined).then(() => {
    isOver = true;
  });
  while (!isOver && !existsQuick(files.pid)) await Promise.race([over, clock.sleep(startedPollMs)]);
}

type Session = Omit<ExecSession, 'started'>;
type FilterOf = (pass: (chunk: Uint8Array) => void) => ComplaintFilter;
type Listener = Parameters<ExecSession['onOutput']>[0];

/** NOTE: what a command writes before anybody listens waits in the pipe; if nobody has asked by the next turn of the loop, it is dropped. */
function pipeSession(argv: readonly string[], files: Files, options: ExecOptions, filterOf: FilterOf): Session {
  const child = startChild(argv, { stdio: [options.stdin ? 'pipe' : 'ignore', 'pipe', 'pipe'] });
  child.stdin?.on('error', () => undefined);
  const listeners: Listener[] = [];
  const filter = filterOf((chunk) => {
    for (const listener of listeners) listener('stderr', chunk);
  });
  let notRun: NotRun | null = null;
  child.stderr?.on('data', filter.take);
  child.stderr?.pause();
  setImmediate(() => {
    child.stdout?.resume();
    child.stderr?.resume();
  });
  const stopListening = killOnAbort(child, files, options.signal);
  return {
    onOutput: (listener) => {
      child.stdout?.on('data', (chunk: Buffer) => listener('stdout', chunk));
      listeners.push(listener);
      child.stderr?.resume();
    },
    write: (chunk) => child.stdin?.write(chunk),
    endInput: () => child.stdin?.end(),
    resize: () => undefined,
    kill: (signal) => killProcess(child, files, signal),
    exitCode: child.ended.then(({ code }) => {
      notRun = filter.end(code);
      return notRun?.exitCode ?? code;
    }).finally(() => {
      stopListening();
      cleanUp(files);
    }),
    failure: () => notRun?.error ?? null,
  };
}

/**
 * The runtime runs on a terminal of ours and passes it on to the one it makes in the container, which gets its size from us:
 * old runtimes take it over neither at the start nor later.
 */
function terminalSession(argv: readonly string[], files: Files, options: ExecOptions, filterOf: FilterOf): Session {
  const pty: Pty = openPty();
  // NOTE: the runtime does that, too, but later: till then what is typed ahead would be echoed here as well, and a Ctrl-D or Ctrl-C be taken for this terminal's.
  rawTerminal(pty.slaveFd);
  const child = startChild(argv, { stdio: [pty.slaveFd, pty.slaveFd, pty.slaveFd], environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', TERM: 'xterm' }, detached: true });
  pty.closeSlave();
  let wanted: { readonly columns: number; readonly rows: number } | null = null;
  const applySize = (): void => {
    const pid = Number(readQuick(files.pid) ?? '0');
    if (wanted !== null && pid > 1 && resizeTerminalOf(pid, wanted.columns, wanted.rows)) wanted = null;
  };
  const listeners: Listener[] = [];
  const filter = filterOf((chunk) => {
    for (const listener of listeners) listener('stdout', chunk);
  });
  let notRun: NotRun | null = null;
  pty.onData((chunk) => {
    // A size that came before the program did is set with its first word.
    applySize();
    filter.take(chunk);
  });
  const stopListening = killOnAbort(child, files, options.signal);
  return {
    onOutput: (listener) => listeners.push(listener),
    write: (chunk) => pty.write(chunk),
    // End of input on a terminal is a character, as if Ctrl-D were pressed.
    endInput: () => pty.write(new Uint8Array([4])),
    resize: (columns, rows) => {
      pty.resize(columns, rows);
      wanted = { columns, rows };
      applySize();
    },
    kill: (signal) => killProcess(child, files, signal),
    exitCode: child.ended.then(async (end) => {
      await pty.ended;
      notRun = filter.end(end.code);
      return notRun?.exitCode ?? end.code;
    }).finally(() => {
      stopListening();
      pty.close();
      cleanUp(files);
    }),
    failure: () => notRun?.error ?? null,
  };
}

function killProcess(child: Child, files: Files, signal: string): void {
  const number = signalNumber(signal);
  if (number < 1) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(signal)} is no signal` });
  const pid = Number(readQuick(files.pid) ?? '0');
  const process = pid > 1 ? processId(pid) : null;
  if (process === null) child.kill(signal);
  else signalProcess(process, number);
}

function killOnAbort(child: Child, files: Files, signal: AbortSignal | undefined): () => void {
  const onAbort = (): void => {
    killProcess(child, files, 'SIGKILL');
  };
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener('abort', onAbort, { once: true });
  return () => signal?.removeEventListener('abort', onAbort);
}

function cleanUp(files: Files): void {
  removeQuick(files.process);
  removeQuick(files.pid);
  removeQuick(files.log);
}
