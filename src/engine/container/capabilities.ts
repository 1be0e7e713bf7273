import { AppError } from '../../base/app-error.ts';

/** Every capability of Linux 6.x, in the kernel's order (capability.h). */
export const allCapabilities: readonly string[] = [
  'CHOWN', 'DAC_OVERRIDE', 'DAC_READ_SEARCH', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'LINUX_IMMUTABLE', 'NET_BIND_SERVICE',
  'NET_BROADCAST', 'NET_ADMIN', 'NET_RAW', 'IPC_LOCK', 'IPC_OWNER', 'SYS_MODULE', 'SYS_RAWIO', 'SYS_CHROOT', 'SYS_PTRACE', 'SYS_PACCT', 'SYS_ADMIN',
  'SYS_BOOT', 'SYS_NICE', 'SYS_RESOURCE', 'SYS_TIME', 'SYS_TTY_CONFIG', 'MKNOD', 'LEASE', 'AUDIT_WRITE', 'AUDIT_CONTROL', 'SETFCAP', 'MAC_OVERRIDE',
  'MAC_ADMIN', 'SYSLOG', 'WAKE_ALARM', 'BLOCK_SUSPEND', 'AUDIT_READ', 'PERFMON', 'BPF', 'CHECKPOINT_RESTORE',
].map((name) => `CAP_${name}`);

/** What a container gets when the file says nothing; see docs/decisions/0010-default-capabilities.md. */
export const defaultCapabilities: readonly string[] = [
  'CHOWN', 'DAC_OVERRIDE', 'FOWNER', 'FSETID', 'KILL', 'SETGID', 'SETUID', 'SETPCAP', 'NET_BIND_SERVICE', 'SYS_CHROOT', 'SETFCAP',
].map((name) => `CAP_${name}`);

/**
 * The capabilities of one container, in the kernel's order. `ALL` in either list means every one that the kernel has
 * (`lastCapability` is its highest number) and that we have ourselves (`grantable`, a mask as in /proc/self/status); adding wins over dropping by ALL, dropping by name wins over adding ALL, as under Docker.
 * Errors: ENGINE_CONTAINER_SPEC for a name that is none, or that was asked for by name and that we don't have.
 */
export function resolveCapabilities(options: { readonly add: readonly string[]; readonly drop: readonly string[]; readonly privileged: boolean; readonly lastCapability: number; readonly grantable: bigint }): string[] {
  const known = allCapabilities.slice(0, options.lastCapability + 1);
  const ours = known.filter((_, number) => ((options.grantable >> BigInt(number)) & 1n) === 1n);
  if (options.privileged) return ours;
  const add = options.add.map((name) => normalize(name, known));
  const drop = options.drop.map((name) => normalize(name, known));
  let base: readonly string[] = defaultCapabilities;
  if (add.includes('ALL')) base = known;
  else if (drop.includes('ALL')) base = [];
  const kept = new Set(base.filter((name) => !drop.includes(name)));
  for (const name of add) if (name !== 'ALL' && (!drop.includes(name) || drop.includes('ALL'))) kept.add(name);
  const lacking = add.find((name) => name !== 'ALL' && kept.has(name) && !ours.includes(name));
  if (lacking !== undefined) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${lacking} can't be given: this machine's root does not have it` });
  return ours.filter((name) => kept.has(name));
}

function normalize(name: string, known: readonly string[]): string {
  const upper = name.toUpperCase();
  if (upper === 'ALL' || upper === 'CAP_ALL') return 'ALL';
  const full = upper.startsWith('CAP_') ? upper : `CAP_${upper}`;
  if (known.includes(full)) return full;
  throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `"${name}" is no capability of this kernel`, hint: 'capabilities(7) lists them; write them as NET_ADMIN or CAP_NET_ADMIN' });
}
