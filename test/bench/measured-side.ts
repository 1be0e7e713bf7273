import type { CpuGroup } from './cpu-group.ts';
import { timed } from './harness.ts';

/** One of the two that are compared: runs `compose …` in a folder of its own, against a daemon of its own. */
export type Side = {
  readonly name: string;
  /** The folder as this machine sees it; `compose` runs in it. */
  readonly folder: (name: string) => string;
  readonly compose: (folder: string, args: readonly string[]) => Promise<Spent>;
  /** Memory that its idle daemons keep resident, in bytes. */
  readonly residentBytes: () => number;
  readonly close: () => Promise<void>;
};

/** Wall time of the command, and processor time of the command and of all daemons together. */
export type Spent = { readonly wallMs: number; readonly cpuMs: number };

/** Runs a command in the group's account, so that command and daemons are one sum. */
export async function spend(group: CpuGroup, argv: readonly string[], options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> }): Promise<Spent> {
  const before = group.usedMs();
  const { wallMs, cpuMs } = await timed(argv, options);
  return { wallMs, cpuMs: cpuMs + group.usedMs() - before };
}
