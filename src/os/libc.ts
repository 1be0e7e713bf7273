import { createRequire } from 'node:module';
import { getSystemErrorName } from 'node:util';
import type koffi from 'koffi';
import { assert } from '../base/assert.ts';

/** A failed system call, in the shape of Node's own: `code` is the name (`ENOENT`), `syscall` the call. */
export class SyscallError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly syscall: string;
  readonly path: string | undefined;

  constructor(syscall: string, errno: number, path?: string) {
    const code = errnoName(errno);
    super(`${syscall}${path === undefined ? '' : ` ${path}`}: ${code}`);
    this.name = 'SyscallError';
    this.code = code;
    this.errno = errno;
    this.syscall = syscall;
    this.path = path;
  }
}

/** The name of a system error, ours or Node's: `ENOENT`; null where it is something else. */
export function errorName(error: unknown): string | null {
  return error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : null;
}

type Argument = number | bigint | string | Uint8Array | null | readonly unknown[];
type Call = (...args: readonly Argument[]) => number;

let loaded: typeof koffi | undefined;
let library: ReturnType<typeof koffi.load> | undefined;

/** The native addon, loaded with the first call: most commands make none, and it takes 5 ms. */
function ffi(): typeof koffi {
  // NOTE: the package declares no types for `require`; they are those of its import.
  loaded ??= createRequire(import.meta.url)('koffi') as typeof koffi;
  return loaded;
}

/** A function of the C library, by its prototype. Calls are synchronous, about 0.2 µs on top of the system call. */
export function libcFunction(prototype: string): Call {
  // NOTE: null loads what the process is already linked with, so it is the right C library on every distribution.
  library ??= ffi().load(null);
  const call: unknown = library.func(prototype);
  assert(typeof call === 'function', `the C library has ${prototype}`);
  return (...args) => Number(call(...args));
}

/** As `libcFunction`, run in a thread of the pool: for calls that may take milliseconds. There is no errno for its answer. */
export function libcAsync(prototype: string): (...args: readonly Argument[]) => Promise<number> {
  library ??= ffi().load(null);
  const call = library.func(prototype);
  return (...args) =>
    new Promise((resolve, reject) => {
      call.async(...args, (error: unknown, answer: unknown) => (error === null || error === undefined ? resolve(Number(answer)) : reject(error)));
    });
}

/** The answer of a call, or a SyscallError where it is -1. */
export function checked(syscall: string, answer: number, path?: string): number {
  if (answer < 0) throw new SyscallError(syscall, ffi().errno(), path);
  return answer;
}

/** For calls that are retried or answered with a value: the error's number, 0 where there is none. */
export function errnoOf(answer: number): number {
  return answer < 0 ? ffi().errno() : 0;
}

/** `ENOENT` for 2. */
export function errnoName(errno: number): string {
  try {
    return getSystemErrorName(-errno);
  } catch {
    return `E${errno}`;
  }
}
