import { Socket } from 'node:net';
import { checked, libcAsync, libcFunction, SyscallError } from './libc.ts';

/**
 * Starts a program that forks itself away: its first process ends at once, and what stays is the child of init, so that it belongs to
 * nobody who may die.
 *
 * NOTE: not by Node's `spawn`, which forks: copying the page tables of a process of 100 MB, and taking the faults that follow, costs
 * 4 to 8 ms each. posix_spawn copies nothing, and stops who calls it until the program is loaded: 0.5 ms, or 5 where the processors are
 * busy. So a thread of the pool calls it, not the event loop.
 */
export type Away = {
  /** The first line that it writes to descriptor 3; '' where it ends without one. Rejects with the signal's reason. */
  readonly answer: Promise<string>;
};

export type AwayOptions = {
  /** Its whole environment; `_OCI_SYNCPIPE`, or whatever tells it of descriptor 3, is the caller's. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Its standard error, emptied first: read it where the answer is not enough. Standard input and output are /dev/null. */
  readonly complaintsPath: string;
  /** Ends the waiting and its first process. */
  readonly signal: AbortSignal;
};

const closeOnExec = 0o2000000;
const writeOnly = 1;
const createAndEmpty = 0o1100;
const setSignalDefaults = 0x04;
const setSignalMask = 0x08;
const answerFd = 3;
const noHang = 1;
const kill = 9;
const lineBytesMax = 64 * 1024;
/** More than posix_spawn's two structures have in any C library for Linux (80 and 336 bytes). */
const structBytes = 1024;

/** Resolves when it is started. Errors: SyscallError (ENOENT …) where it can't be. */
export async function spawnAway(argv: readonly string[], options: AwayOptions): Promise<Away> {
  const path = argv[0] ?? '';
  const pipe = Buffer.alloc(8);
  checked('pipe2', libc().pipe2(pipe, closeOnExec));
  const [readEnd, writeEnd] = [pipe.readInt32LE(0), pipe.readInt32LE(4)];
  let pid: number;
  try {
    pid = await spawned(path, argv, options, writeEnd);
  } catch (error) {
    libc().close(readEnd);
    throw error;
  } finally {
    libc().close(writeEnd);
  }
  const socket = new Socket({ fd: readEnd, readable: true, writable: false });
  const answer = firstLine(socket, options.signal, () => libc().kill(pid, kill)).finally(() => {
    socket.destroy();
    return reap(pid);
  });
  answer.catch(() => undefined);
  return { answer };
}

async function spawned(path: string, argv: readonly string[], options: AwayOptions, writeEnd: number): Promise<number> {
  const { init, open, dup, chdir, destroy, spawn } = libc();
  const actions = Buffer.alloc(structBytes);
  init(actions);
  try {
    open(actions, 0, '/dev/null', 0, 0);
    open(actions, 1, '/dev/null', writeOnly, 0);
    open(actions, 2, options.complaintsPath, writeOnly | createAndEmpty, 0o600);
    // NOTE: a pipe whose end has this number already is not copied onto itself: the call then only takes its close-on-exec away.
    dup(actions, writeEnd, answerFd);
    chdir(actions, options.cwd);
    const pid = Buffer.alloc(4);
    const environment = Object.entries(options.environment).map(([name, value]) => `${name}=${value}`);
    const errno = await spawn(pid, path, actions, libc().attributes, [...argv, null], [...environment, null]);
    if (errno !== 0) throw new SyscallError('posix_spawn', errno, path);
    return pid.readInt32LE(0);
  } finally {
    destroy(actions);
  }
}

/** Its first process has ended by now, or is about to: Node knows nothing of it and would leave it a zombie. */
async function reap(pid: number): Promise<void> {
  if (libc().waitpid(pid, null, noHang) === 0) await libc().waitpidSlow(pid, null, 0);
}

function firstLine(socket: Socket, signal: AbortSignal, abort: () => void): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const onAbort = (): void => {
      abort();
      reject(signal.reason);
    };
    const finish = (): void => {
      signal.removeEventListener('abort', onAbort);
      resolve(text.trim());
    };
    signal.addEventListener('abort', onAbort, { once: true });
    socket.on('data', (chunk: Buffer) => {
      if (text.length < lineBytesMax) text += chunk.toString('utf8');
      if (text.includes('\n')) finish();
    });
    for (const event of ['end', 'close', 'error']) socket.once(event, finish);
    if (signal.aborted) onAbort();
  });
}

let bound: ReturnType<typeof bind> | undefined;

function libc(): ReturnType<typeof bind> {
  bound ??= bind();
  return bound;
}

function bind() {
  const actions = (name: string, rest: string = ''): ReturnType<typeof libcFunction> => libcFunction(`int posix_spawn_file_actions_${name}(_Inout_ uint8_t *actions${rest})`);
  const attribute = (name: string, rest: string): ReturnType<typeof libcFunction> => libcFunction(`int posix_spawnattr_${name}(_Inout_ uint8_t *attributes${rest})`);
  return {
    pipe2: libcFunction('int pipe2(_Out_ uint8_t *fds, int flags)'),
    close: libcFunction('int close(int fd)'),
    kill: libcFunction('int kill(int pid, int signal)'),
    waitpid: libcFunction('int waitpid(int pid, void *status, int options)'),
    waitpidSlow: libcAsync('int waitpid(int pid, void *status, int options)'),
    init: actions('init'),
    open: actions('addopen', ', int fd, const char *path, int flags, uint32_t mode'),
    dup: actions('adddup2', ', int fd, int newFd'),
    chdir: actions('addchdir_np', ', const char *path'),
    destroy: actions('destroy'),
    spawn: libcAsync('int posix_spawn(_Out_ uint8_t *pid, const char *path, const uint8_t *actions, const uint8_t *attributes, const char **argv, const char **environment)'),
    attributes: plainSignals(attribute),
  };
}

/** Node ignores SIGPIPE and may block others: a program starts with every signal as it is by default, and with none blocked. */
function plainSignals(attribute: (name: string, rest: string) => ReturnType<typeof libcFunction>): Uint8Array {
  const attributes = Buffer.alloc(structBytes);
  attribute('init', '')(attributes);
  attribute('setsigdefault', ', const uint8_t *set')(attributes, Buffer.alloc(128, 0xff));
  attribute('setsigmask', ', const uint8_t *set')(attributes, Buffer.alloc(128, 0));
  attribute('setflags', ', int16_t flags')(attributes, setSignalDefaults | setSignalMask);
  return attributes;
}
