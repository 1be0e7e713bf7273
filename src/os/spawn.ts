import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import type { Readable, Writable } from 'node:stream';

/** How a child ended: a code, or the signal that killed it. `code` is 128 + the signal's number in that case. */
export type ChildEnd = { readonly code: number; readonly signal: string | null };

export type RunResult = ChildEnd & { readonly stdout: string; readonly stderr: string; readonly isCut: boolean };

/** Output beyond this is dropped and `isCut` says so: a child can't fill our memory. */
const outputBytesMax = 1024 * 1024;

/** What a child gets to see of the environment when nothing else is said. */
export const plainEnvironment: Readonly<Record<string, string>> = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C' };

/**
 * Runs a program to its end and answers what it wrote. There is no shell: `argv` is what the program gets, and of our
 * descriptors it inherits none but its three. `inputFd` is one of ours to read from, `input` a text through a socket.
 * Errors: a system error with `code` (`ENOENT`) where it can't be started, or the signal's reason.
 */
export async function run(argv: readonly string[], options: { readonly input?: Uint8Array | string; readonly inputFd?: number; readonly environment?: Readonly<Record<string, string>>; readonly cwd?: string; readonly signal?: AbortSignal } = {}): Promise<RunResult> {
  const child = startChild(argv, { ...options, stdio: [options.inputFd ?? (options.input === undefined ? 'ignore' : 'pipe'), 'pipe', 'pipe'] });
  const out = collect(child.stdout);
  const err = collect(child.stderr);
  // NOTE: a child that ends before it has read its input is no error of ours.
  child.stdin?.on('error', () => undefined);
  if (options.input !== undefined) child.stdin?.end(options.input);
  const end = await child.ended;
  return { ...end, stdout: out.text(), stderr: err.text(), isCut: out.isCut() || err.isCut() };
}

export type Child = {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable | null;
  readonly stderr: Readable | null;
  /** The streams of descriptors above 2 that were asked for as pipes, by number. */
  readonly extra: (fd: number) => Readable | null;
  readonly kill: (signal: string) => void;
  /** Resolves once it has ended and its output is read; rejects where it could not be started. */
  readonly ended: Promise<ChildEnd>;
};

export type ChildStdio = 'ignore' | 'pipe' | number;

/** Starts a child that lives beside us. Aborting the signal kills it. */
export function startChild(argv: readonly string[], options: { readonly stdio: readonly ChildStdio[]; readonly environment?: Readonly<Record<string, string>>; readonly cwd?: string; readonly signal?: AbortSignal; readonly detached?: boolean }): Child {
  const [file, ...args] = argv;
  if (file === undefined) throw new Error('nothing to run');
  const child = spawn(file, args, {
    stdio: [...options.stdio],
    env: { ...(options.environment ?? plainEnvironment) },
    cwd: options.cwd ?? '/',
    detached: options.detached ?? false,
    shell: false,
    windowsHide: true,
    ...(options.signal === undefined ? {} : { signal: options.signal, killSignal: 'SIGKILL' as const }),
  });
  const ended = endOf(child, options.signal);
  return {
    pid: child.pid ?? -1,
    stdin: child.stdin,
    stdout: child.stdout,
    stderr: child.stderr,
    extra: (fd) => {
      const stream = child.stdio[fd];
      return stream !== null && stream !== undefined && 'read' in stream ? stream : null;
    },
    kill: (signal) => {
      if (isSignal(signal)) child.kill(signal);
    },
    ended,
  };
}

function endOf(child: ChildProcess, signal: AbortSignal | undefined): Promise<ChildEnd> {
  const ended = new Promise<ChildEnd>((resolve, reject) => {
    child.once('error', (error) => reject(signal?.aborted === true ? signal.reason : error));
    child.once('close', (code, by) => resolve({ code: code ?? 128 + signalNumber(by ?? 'SIGKILL'), signal: by }));
  });
  // NOTE: whoever starts a child may look at its end later, or never.
  ended.catch(() => undefined);
  return ended;
}

function collect(stream: Readable | null): { readonly text: () => string; readonly isCut: () => boolean } {
  const chunks: Buffer[] = [];
  let size = 0;
  let isCut = false;
  stream?.on('data', (chunk: Buffer) => {
    if (size + chunk.length > outputBytesMax) isCut = true;
    else chunks.push(chunk);
    size += chunk.length;
  });
  stream?.on('error', () => undefined);
  return { text: () => Buffer.concat(chunks).toString('utf8'), isCut: () => isCut };
}

const signalNumbers: Readonly<Record<string, number>> = {
  HUP: 1, INT: 2, QUIT: 3, ILL: 4, TRAP: 5, ABRT: 6, BUS: 7, FPE: 8, KILL: 9, USR1: 10, SEGV: 11, USR2: 12, PIPE: 13, ALRM: 14, TERM: 15, STKFLT: 16,
  CHLD: 17, CONT: 18, STOP: 19, TSTP: 20, TTIN: 21, TTOU: 22, URG: 23, XCPU: 24, XFSZ: 25, VTALRM: 26, PROF: 27, WINCH: 28, IO: 29, PWR: 30, SYS: 31,
};

/** The number of `SIGTERM`, `TERM`, `15`, `RTMIN+3`; -1 where it is no signal of Linux. */
export function signalNumber(name: string): number {
  const text = name.toUpperCase().replace(/^SIG/, '');
  if (/^\d{1,2}$/.test(text)) return Number(text) >= 1 && Number(text) <= 64 ? Number(text) : -1;
  const real = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(text);
  if (real !== null) {
    const number = (real[1] === 'MIN' ? 34 : 64) + (real[2] === '-' ? -1 : 1) * Number(real[3] ?? 0);
    return number >= 34 && number <= 64 ? number : -1;
  }
  return Object.hasOwn(signalNumbers, text) ? (signalNumbers[text] ?? -1) : -1;
}

function isSignal(name: string): name is NodeJS.Signals {
  return signalNumber(name) > 0;
}
