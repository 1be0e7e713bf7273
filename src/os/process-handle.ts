import { readFileSync } from 'node:fs';
import { checked, errnoOf, libcFunction } from './libc.ts';

const sysPidfdOpen = 434;
const sysPidfdSendSignal = 424;
const esrch = 3;
let syscall4: ReturnType<typeof libcFunction> | undefined;
let closeCall: ReturnType<typeof libcFunction> | undefined;

/** A process and the moment it began (clock ticks since boot), which together name it for good: ids are used again. */
export type ProcessId = { readonly pid: number; readonly startTicks: number };

/** null where there is no such process (a zombie counts as gone). */
export function processId(pid: number): ProcessId | null {
  const facts = readStat(pid);
  return facts === null || facts.state === 'Z' || facts.state === 'X' ? null : { pid, startTicks: facts.startTicks };
}

export function isAlive(process: ProcessId): boolean {
  return processId(process.pid)?.startTicks === process.startTicks;
}

/** Sends a signal to exactly this process; false where it is gone. */
export function signalProcess(process: ProcessId, signal: number): boolean {
  syscall4 ??= libcFunction('long syscall(long number, long a, long b, void *c, long d)');
  closeCall ??= libcFunction('int close(int fd)');
  const fd = syscall4(sysPidfdOpen, process.pid, 0, null, 0);
  if (errnoOf(fd) === esrch) return false;
  checked('pidfd_open', fd);
  try {
    // The descriptor holds the process: if the id is still its own now, the signal can reach no other.
    if (!isAlive(process)) return false;
    const answer = syscall4(sysPidfdSendSignal, fd, signal, null, 0);
    if (errnoOf(answer) === esrch) return false;
    checked('pidfd_send_signal', answer);
    return true;
  } finally {
    closeCall(fd);
  }
}

/** The direct parent of a process; null where it is gone. */
export function parentOf(pid: number): number | null {
  return readStat(pid)?.parent ?? null;
}

export function commandLineOf(pid: number): string[] | null {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').slice(0, -1);
  } catch {
    return null;
  }
}

function readStat(pid: number): { readonly state: string; readonly parent: number; readonly startTicks: number } | null {
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null;
  }
  // NOTE: the second field is the program's name in brackets and may hold anything, brackets and spaces too.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? 'X', parent: Number(fields[1]), startTicks: Number(fields[19]) };
}
