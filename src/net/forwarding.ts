import { join } from 'node:path';
import type { IpFamily } from '../base/cidr.ts';
import { ensureDir, readTextIfThere, removeFile, writeFileDurable } from '../os/files.ts';
import { listSysctls, readSysctl, writeSysctl } from '../os/sysctl.ts';

/**
 * The host's forwarding. Where it was off before us, it stays off between links that are not ours: a laptop must not become a
 * router because it runs containers. That it was off is noted in a file before it is switched on, so that a daemon that was
 * killed, or whose table was flushed, still knows. A reboot empties the folder, and switches forwarding off.
 * Of several instances on a host each guards what any of them switched on: whichever goes first, the others keep the guard,
 * and the last one switches it off.
 */
export type Forwarding = {
  /**
   * Notes what is needed and is off now, or is on only because another instance switched it on (`guardedByOthers`).
   * Out: the families to guard, which the rules must know before `open`.
   */
  readonly plan: (needed: readonly IpFamily[], guardedByOthers: () => readonly IpFamily[]) => Promise<readonly IpFamily[]>;
  readonly open: (needed: readonly IpFamily[]) => void;
  /** Off again where it was off, unless another instance on this host needs it: then it guards it, too. */
  readonly close: (guardedByOthers: () => readonly IpFamily[]) => Promise<void>;
};

const switches: Readonly<Record<IpFamily, string>> = { 4: 'net/ipv4/ip_forward', 6: 'net/ipv6/conf/all/forwarding' };
const families: readonly IpFamily[] = [4, 6];

export function createForwarding(runRoot: string): Forwarding {
  const note = join(runRoot, 'forwarding-was-off');
  const noted = async (): Promise<readonly IpFamily[]> => {
    const words = ((await readTextIfThere(note)) ?? '').split(/\s+/);
    return families.filter((family) => words.includes(String(family)));
  };
  let known: readonly IpFamily[] | null = null;
  return {
    plan: async (needed, guardedByOthers) => {
      known ??= await noted();
      const before = known;
      const unknown = needed.filter((family) => !before.includes(family));
      const others = unknown.length === 0 ? [] : guardedByOthers();
      const more = unknown.filter((family) => others.includes(family) || readSysctl(switches[family]) === '0');
      if (more.length > 0) {
        known = families.filter((family) => before.includes(family) || more.includes(family));
        await ensureDir(runRoot);
        await writeFileDurable(note, `${known.join(' ')}\n`);
      }
      return known;
    },
    open: (needed) => {
      if (needed.includes(6) && readSysctl(switches[6]) === '0') keepListeningToRouters();
      for (const family of needed) writeSysctl(switches[family], '1');
    },
    close: async (guardedByOthers) => {
      const off = await noted();
      const others = guardedByOthers();
      for (const family of off) if (!others.includes(family)) writeSysctl(switches[family], '0');
      await removeFile(note);
      known = null;
    },
  };
}

/** A host that forwards IPv6 stops taking its own default route from its router, unless it is told to go on (2). */
function keepListeningToRouters(): void {
  for (const link of listSysctls('net/ipv6/conf')) {
    const path = `net/ipv6/conf/${link}/accept_ra`;
    if (readSysctl(path) === '1') writeSysctl(path, '2');
  }
}
