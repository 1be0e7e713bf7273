import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';

/** A control group that counts the processor time of all that is started in it, also of what ended or left for another parent. */
export type CpuGroup = {
  /** Puts a process in; its children follow it. */
  readonly add: (pid: number) => void;
  readonly usedMs: () => number;
  /** Only an empty one can be removed; one that is not stays. */
  readonly remove: () => void;
};

const root = '/sys/fs/cgroup';

/** Containers leave the group for their own: what is counted is the engine, not the application. */
export function makeCpuGroup(name: string): CpuGroup {
  const isUnified = existsSync(`${root}/cgroup.controllers`);
  const dir = `${root}/${isUnified ? '' : 'cpuacct/'}flotilla-bench-${name}-${process.pid}`;
  mkdirSync(dir, { recursive: true });
  return {
    add: (pid) => writeFileSync(`${dir}/cgroup.procs`, String(pid)),
    usedMs: () => {
      if (!isUnified) return Number(readFileSync(`${dir}/cpuacct.usage`, 'utf8')) / 1e6;
      return Number(/^usage_usec (\d+)/m.exec(readFileSync(`${dir}/cpu.stat`, 'utf8'))?.[1] ?? Number.NaN) / 1e3;
    },
    remove: () => {
      try {
        rmdirSync(dir);
      } catch {
        // Something that was started in it still runs.
      }
    },
  };
}
