import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { assert } from '../base/assert.ts';
import { errorName } from './libc.ts';
import { mount, unmount } from './mount.ts';

/** How this machine's control groups are laid out: v2 alone, or v1 hierarchies, with a v2 tree among them that limits nothing. */
export type CgroupLayout = { readonly version: 1 | 2; readonly root: string; readonly hierarchies: readonly string[] };

const root = '/sys/fs/cgroup';
const cgroup2Magic = 0x63677270;

/** Errors: a plain Error where no control groups are mounted. */
export function cgroupLayout(): CgroupLayout {
  if (statfsSync(root).type === cgroup2Magic) return { version: 2, root, hierarchies: [root] };
  const hierarchies = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(' - cgroup ') || line.includes(' - cgroup2 '))
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith(`${root}/`));
  if (hierarchies.length === 0) throw new Error(`no control groups are mounted below ${root}`);
  return { version: 1, root, hierarchies: [...new Set(hierarchies)] };
}

/** Controllers that the kernel has but no v1 hierarchy carries: they sit in the v2 tree of a hybrid layout. */
export function strayControllers(): string[] {
  try {
    return readFileSync(`${root}/unified/cgroup.controllers`, 'utf8').split(/\s+/).filter((name) => /^[a-z_]+$/.test(name));
  } catch {
    return [];
  }
}

/** Gives each stray controller its customary v1 hierarchy. Answers those mounted; a controller in use elsewhere stays. */
export function mountControllers(names: readonly string[]): string[] {
  return names.filter((name) => {
    const target = join(root, name);
    try {
      mkdirSync(target, { recursive: true });
      mount({ source: 'cgroup', target, type: 'cgroup', flags: 2 | 4 | 8, data: name });
      return true;
    } catch {
      try {
        rmdirSync(target);
      } catch {
        // It was there before, or something is mounted on it: either way not ours to clear.
      }
      return false;
    }
  });
}

export function unmountControllers(names: readonly string[]): void {
  for (const name of names) {
    unmount(join(root, name));
    try {
      rmdirSync(join(root, name));
    } catch {
      // Still busy: a group lives in it.
    }
  }
}

/** The processes in a group, in every hierarchy; also in groups below it that the container made. */
export function cgroupProcesses(layout: CgroupLayout, path: string): number[] {
  const found = new Set<number>();
  for (const hierarchy of layout.hierarchies) {
    for (const dir of groupsBelow(join(hierarchy, path))) {
      const text = readIfThere(join(dir, 'cgroup.procs')) ?? '';
      for (const line of text.split('\n')) if (line !== '') found.add(Number(line));
    }
  }
  return [...found];
}

/** Kills whatever is in the group: at once where the kernel can, else one by one until none is left (they may fork meanwhile). */
export function killCgroup(layout: CgroupLayout, path: string): void {
  assertBelowRoot(path);
  if (layout.version === 2 && tryWrite(join(root, path, 'cgroup.kill'), '1')) return;
  for (let round = 0; round < 32; round += 1) {
    const pids = cgroupProcesses(layout, path).filter((pid) => pid > 1 && pid !== process.pid);
    if (pids.length === 0) return;
    for (const pid of pids) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch (error) {
        if (errorName(error) !== 'ESRCH') throw error;
      }
    }
  }
}

/** Removes the group and those below it. Answers false while something is still in one of them. */
export function removeCgroup(layout: CgroupLayout, path: string): boolean {
  assertBelowRoot(path);
  let isGone = true;
  for (const hierarchy of layout.hierarchies) {
    for (const dir of groupsBelow(join(hierarchy, path)).reverse()) {
      try {
        rmdirSync(dir);
      } catch (error) {
        if (errorName(error) !== 'ENOENT') isGone = false;
      }
    }
  }
  return isGone;
}

/** How often the kernel killed for memory in the group; null where it doesn't say. */
export function oomKills(layout: CgroupLayout, path: string): number | null {
  const file = layout.version === 2 ? join(root, path, 'memory.events') : join(root, 'memory', path, 'memory.oom_control');
  const text = readIfThere(file);
  const match = text === null ? null : /^oom_kill (\d+)$/m.exec(text);
  return match === null ? null : Number(match[1]);
}

/** Names of the groups directly below `path`, in any hierarchy. */
export function listCgroups(layout: CgroupLayout, path: string): string[] {
  const names = layout.hierarchies.flatMap((hierarchy) => childDirs(join(hierarchy, path)));
  return [...new Set(names)].sort();
}

/** The root group holds the machine's own processes: nothing here may ever kill or remove it. */
function assertBelowRoot(path: string): void {
  assert(/^\/[A-Za-z0-9_.-]+\/[A-Za-z0-9_.-]+/.test(path) && !path.includes('..'), `${path} is a group of ours`);
}

function groupsBelow(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return [dir, ...childDirs(dir).flatMap((name) => groupsBelow(join(dir, name)))];
}

function childDirs(dir: string): string[] {
  try {
    return readdirSync(dir, { withFileTypes: true }).filter((one) => one.isDirectory()).map((one) => one.name);
  } catch {
    return [];
  }
}

function readIfThere(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

function tryWrite(path: string, text: string): boolean {
  try {
    writeFileSync(path, text);
    return true;
  } catch {
    return false;
  }
}
