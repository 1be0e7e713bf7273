import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { release } from 'node:os';
import { join } from 'node:path';

/** What a running kernel tells of itself. */
export function kernelVersion(): { readonly major: number; readonly minor: number } {
  const [, major = '0', minor = '0'] = /^(\d+)\.(\d+)/.exec(release()) ?? [];
  return { major: Number(major), minor: Number(minor) };
}

/** Differs after every boot: what was running under another one is gone. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

export function lastCapability(): number {
  return Number(readFileSync('/proc/sys/kernel/cap_last_cap', 'utf8').trim());
}

/** The capabilities that a child of ours can have, as a mask: root may lack some in a machine that is itself confined. */
export function grantableCapabilities(): bigint {
  const status = readFileSync('/proc/self/status', 'utf8');
  const mask = (name: string): bigint => BigInt(`0x${new RegExp(`^${name}:\\s*([0-9a-f]+)$`, 'm').exec(status)?.[1] ?? '0'}`);
  return mask('CapBnd') & mask('CapPrm');
}

/** Paths below /sys/devices/system/cpu that tell of the cores' temperature. */
export function thermalPaths(): string[] {
  const dir = '/sys/devices/system/cpu';
  return readdirSync(dir)
    .filter((name) => /^cpu\d+$/.test(name))
    .map((name) => join(dir, name, 'thermal_throttle'))
    .filter((path) => existsSync(path))
    .sort();
}

export type DeviceFacts = { readonly path: string; readonly type: 'b' | 'c'; readonly major: number; readonly minor: number; readonly mode: number; readonly uid: number; readonly gid: number };

/** A device of the host, or every device in a directory of them; [] where there is none. Symlinks are followed: the path is the host's. */
export function devicesAt(path: string): DeviceFacts[] {
  const facts = statSync(path, { throwIfNoEntry: false });
  if (facts === undefined) return [];
  if (facts.isDirectory()) return readdirSync(path).sort().flatMap((name) => devicesAt(join(path, name)));
  if (!facts.isBlockDevice() && !facts.isCharacterDevice()) return [];
  // NOTE: the encoding of dev_t: 12 bits of major above 8 of minor, then 12 more of minor.
  const number = BigInt(facts.rdev);
  const major = Number(((number >> 8n) & 0xfffn) | ((number >> 32n) & 0xfffff000n));
  const minor = Number((number & 0xffn) | ((number >> 12n) & 0xffffff00n));
  return [{ path, type: facts.isBlockDevice() ? 'b' : 'c', major, minor, mode: facts.mode & 0o777, uid: facts.uid, gid: facts.gid }];
}

/** Every device of the host's /dev, for a privileged container; terminals and what a container has of its own are left out. */
export function allDevices(dir: string = '/dev'): DeviceFacts[] {
  return readdirSync(dir, { withFileTypes: true }).flatMap((entry) => {
    const path = join(dir, entry.name);
    if (['/dev/pts', '/dev/shm', '/dev/mqueue', '/dev/fd', '/dev/console', '/dev/.lxc'].includes(path)) return [];
    if (entry.isDirectory()) return allDevices(path);
    return entry.isBlockDevice() || entry.isCharacterDevice() ? devicesAt(path) : [];
  });
}

/** The path of the first of the programs that is installed; null where none is. */
export function findProgram(names: readonly string[]): string | null {
  const dirs = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin', '/usr/libexec/podman'];
  for (const name of names) {
    for (const dir of dirs) {
      const path = join(dir, name);
      const facts = statSync(path, { throwIfNoEntry: false });
      if (facts?.isFile() === true && (facts.mode & 0o111) !== 0) return path;
    }
  }
  return null;
}

/** Every process whose command line holds all the words, by its number. */
export function findProcesses(words: readonly string[]): { readonly pid: number; readonly argv: readonly string[] }[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const argv = readFileSync(`/proc/${name}/cmdline`, 'utf8').split('\0').slice(0, -1);
        return words.every((word) => argv.includes(word)) ? [{ pid: Number(name), argv }] : [];
      } catch {
        return [];
      }
    });
}

/** True for a program without an interpreter or loader of the host's: it runs in any container. */
export function isStaticProgram(path: string): boolean {
  const bytes = readFileSync(path);
  if (bytes.length < 64 || bytes.readUInt32BE(0) !== 0x7f454c46 || bytes[4] !== 2) return false;
  const offset = Number(bytes.readBigUInt64LE(32));
  const entryBytes = bytes.readUInt16LE(54);
  const entries = bytes.readUInt16LE(56);
  const interpreter = 3;
  for (let index = 0; index < entries; index += 1) {
    const at = offset + index * entryBytes;
    if (at + 4 > bytes.length || bytes.readUInt32LE(at) === interpreter) return false;
  }
  return true;
}
