import { AppError } from '../../base/app-error.ts';
import type { OciMount } from './oci-types.ts';

/** A mount of the user's, with everything looked up: the source exists, the target is a path that no link leads astray. */
export type ResolvedMount =
  | { readonly kind: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean; readonly isRecursive: boolean; readonly propagation: string; readonly submounts?: 'writable' | 'read-only' }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null; readonly mode: number | null; readonly options: readonly string[] };

const propagations = ['private', 'rprivate', 'shared', 'rshared', 'slave', 'rslave'];
/** Options of a tmpfs that change nothing outside it. */
const tmpfsOptions = /^(?:noexec|exec|nosuid|suid|nodev|dev|ro|rw|noatime|relatime|strictatime|nodiratime|sync|async|uid=\d{1,10}|gid=\d{1,10}|mode=[0-7]{1,4}|size=\d{1,15}[kmgtKMGT%]?|nr_inodes=\d{1,15}[kmgKMG]?|nr_blocks=\d{1,15}[kmgKMG]?|huge=never)$/;

/** The file systems that every container has. A tmpfs on /dev always: see docs/decisions/0011-dev-is-always-ours.md. */
export function baseMounts(options: { readonly shmSizeBytes: number; readonly privileged: boolean; readonly ipc: 'private' | 'host' | 'joined'; readonly hostNetwork: boolean; readonly hostPid: boolean }): OciMount[] {
  const access = options.privileged ? 'rw' : 'ro';
  const shm: OciMount =
    options.ipc === 'host'
      ? { destination: '/dev/shm', type: 'bind', source: '/dev/shm', options: ['rbind', 'nosuid', 'noexec', 'nodev'] }
      : { destination: '/dev/shm', type: 'tmpfs', source: 'shm', options: ['nosuid', 'noexec', 'nodev', 'mode=1777', `size=${options.shmSizeBytes}`] };
  return [
    { destination: '/proc', type: 'proc', source: 'proc', options: ['nosuid', 'noexec', 'nodev'] },
    { destination: '/dev', type: 'tmpfs', source: 'tmpfs', options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'] },
    { destination: '/dev/pts', type: 'devpts', source: 'devpts', options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'] },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: ['nosuid', 'noexec', 'nodev', access] },
    { destination: '/sys/fs/cgroup', type: 'cgroup', source: 'cgroup', options: [access, 'nosuid', 'noexec', 'nodev', 'relatime'] },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: ['nosuid', 'noexec', 'nodev'] },
    shm,
  ];
}

/** Since Linux 5.12 one call makes a whole tree of mounts read-only. Source: mount_setattr(2). */
export function canBeReadOnlyBelow(kernel: { readonly major: number; readonly minor: number }): boolean {
  return kernel.major > 5 || (kernel.major === 5 && kernel.minor >= 12);
}

/** The user's mounts, outer ones first, so that none hides another by accident; a mount on a base target replaces it. */
export function userMounts(mounts: readonly ResolvedMount[], canReadOnlyBelow: boolean): OciMount[] {
  return mounts
    .map((mount, index) => ({ mount, index, depth: mount.target.split('/').length }))
    .sort((a, b) => a.depth - b.depth || a.index - b.index)
    .map(({ mount }) => (mount.kind === 'bind' ? bindMount(mount, canReadOnlyBelow) : tmpfsMount(mount)));
}

function bindMount(mount: Extract<ResolvedMount, { kind: 'bind' }>, canReadOnlyBelow: boolean): OciMount {
  const propagation = mount.propagation === '' ? 'rprivate' : mount.propagation;
  if (!propagations.includes(propagation)) {
    throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(mount.propagation)} is no propagation of a mount (on ${mount.target})`, hint: `one of ${propagations.join(', ')}` });
  }
  if (mount.submounts === 'read-only' && !canReadOnlyBelow) {
    throw new AppError({ code: 'ENGINE_UNSUPPORTED', message: `the mounts below ${mount.target} can't be made read-only by this kernel`, hint: 'it takes Linux 5.12; or leave `recursive: readonly` out' });
  }
  const isReadOnlyBelow = mount.readOnly && mount.isRecursive && canReadOnlyBelow && mount.submounts !== 'writable';
  const access = mount.readOnly ? (isReadOnlyBelow ? ['ro', 'rro'] : ['ro']) : ['rw'];
  return { destination: mount.target, type: 'bind', source: mount.source, options: [mount.isRecursive ? 'rbind' : 'bind', ...access, propagation] };
}

function tmpfsMount(mount: Extract<ResolvedMount, { kind: 'tmpfs' }>): OciMount {
  for (const option of mount.options) {
    if (!tmpfsOptions.test(option)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(option)} is no option of a tmpfs (on ${mount.target})` });
  }
  const given = (name: string): boolean => mount.options.some((one) => one === name);
  const defaults = ['nosuid', 'nodev', 'noexec'].filter((one) => !given(one) && !given(one.slice(2)));
  return {
    destination: mount.target,
    type: 'tmpfs',
    source: 'tmpfs',
    // NOTE: `suid`, `dev`, `exec` only undo the defaults above; the runtime is told what remains.
    options: [
      ...defaults,
      ...mount.options.filter((one) => one !== 'exec' && one !== 'suid' && one !== 'dev'),
      ...(mount.sizeBytes === null ? [] : [`size=${mount.sizeBytes}`]),
      ...(mount.mode === null ? [] : [`mode=${mount.mode.toString(8)}`]),
    ],
  };
}
