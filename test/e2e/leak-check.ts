import { execFileSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What containers and networks leave in the kernel and among the processes, as sorted text. */
export type Traces = Readonly<Record<'mounts' | 'namespaces' | 'links' | 'cgroups' | 'nft' | 'processes' | 'descriptors', readonly string[]>>;

/**
 * Takes stock of the machine: everything if `scope` is empty, else what carries one of its words (a data root, a cgroup parent,
 * a prefix of links), so that others may work on the same machine meanwhile.
 */
export function takeTraces(scope: readonly string[] = []): Traces {
  const inScope = (text: string): boolean => scope.length === 0 || scope.some((word) => text.includes(word));
  return {
    mounts: readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path !== '' && inScope(path)).sort(),
    namespaces: namesIn('/run/netns').concat(namesIn('/var/run/flotilla/netns')).filter(inScope).sort(),
    links: namesIn('/sys/class/net').filter(inScope).sort(),
    cgroups: cgroupDirs('/sys/fs/cgroup', 4).filter(inScope).sort(),
    nft: nftLines().filter(inScope),
    processes: processLines().filter((line) => /(?:^|\/)(?:conmon|crun|runc)\s/.test(line) && inScope(line)).sort(),
    descriptors: openDescriptors(),
  };
}

/** What is there now and was not before, in words; [] where nothing leaked. Descriptors are compared by number: names change. */
export function leaks(before: Traces, after: Traces): string[] {
  const kinds = ['mounts', 'namespaces', 'links', 'cgroups', 'nft', 'processes'] as const;
  const found = kinds.flatMap((kind) => after[kind].filter((one) => !before[kind].includes(one)).map((one) => `${kind}: ${one}`));
  const more = after.descriptors.filter((one) => !before.descriptors.includes(one));
  return after.descriptors.length > before.descriptors.length ? [...found, `descriptors: ${after.descriptors.length - before.descriptors.length} more (${more.join(', ')})`] : found;
}

/** Waits until nothing is left over, or answers what is at the deadline: the kernel frees some things a moment later. */
export async function settledLeaks(before: Traces, scope: readonly string[], deadlineMs: number = 3000): Promise<string[]> {
  const end = performance.now() + deadlineMs;
  for (;;) {
    const left = leaks(before, takeTraces(scope));
    if (left.length === 0 || performance.now() > end) return left;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

function namesIn(dir: string): string[] {
  return existsSync(dir) ? readdirSync(dir) : [];
}

function cgroupDirs(dir: string, depth: number): string[] {
  if (depth === 0) return [];
  let entries;
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch {
    // It went away while we looked.
    return [];
  }
  return entries.filter((one) => one.isDirectory()).flatMap((one) => [join(dir, one.name), ...cgroupDirs(join(dir, one.name), depth - 1)]);
}

function nftLines(): string[] {
  try {
    return execFileSync('nft', ['-n', 'list', 'ruleset'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split('\n').map((line) => line.trim()).filter((line) => line !== '' && line !== '}').sort();
  } catch {
    return [];
  }
}

function processLines(): string[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        return [readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ')];
      } catch {
        return [];
      }
    });
}

/** What this process has open. NOTE: a child that counts them also sees, at times, the ends of its own pipes that we have yet to close. */
export function openDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch {
      return [];
    }
  });
}
