import { afterAll, beforeAll, expect, test } from 'vitest';
import { execFileSync } from 'node:child_process';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { dropRoots, newId, newRoots, openTestEngine, specOf } from './setup.ts';
import type { TestRoots } from './setup.ts';
import { probeProgram } from './probe-program.ts';

/**
 * What a program in a container with no special rights may try, and must not get. Each probe prints what it got; `safe` judges it.
 * Syscall probes go through a small C program: name → the errno, or OK. Source: Moby's default profile, CIS 5.x, CVE classes of runc and crun.
 */
type Probe = { readonly name: string; readonly shell: string; readonly safe: (output: string) => boolean };

const refused = (output: string): boolean => /EPERM|EACCES|ENOSYS|Permission denied|Operation not permitted|Read-only file system|Function not implemented|not permitted|nonexistent directory|No such file/.test(output) && !/^OK$/m.test(output);
const nothing = (output: string): boolean => output.trim() === '';
const equals = (text: string) => (output: string): boolean => output.trim() === text;

const syscalls = [
  'mount', 'umount2', 'pivot_root', 'unshare_user', 'unshare_mnt', 'setns', 'clone3', 'clone_newuser', 'bpf', 'perf_event_open', 'kexec_load', 'init_module', 'finit_module',
  'delete_module', 'reboot', 'settimeofday', 'clock_settime', 'add_key', 'keyctl', 'request_key', 'userfaultfd', 'io_uring_setup', 'open_by_handle_at', 'swapon', 'acct', 'quotactl',
  'syslog', 'iopl', 'ioperm', 'fsopen', 'open_tree', 'move_mount', 'mount_setattr', 'socket_alg', 'socket_vsock', 'socket_raw', 'mknod_disk', 'nfsservctl', 'lookup_dcookie', 'vhangup', 'pidfd_getfd',
  'sethostname', 'fanotify_init', 'personality_odd', 'mbind', 'kcmp',
];

const probes: readonly Probe[] = [
  ...syscalls.map((name): Probe => ({ name: `syscall ${name}`, shell: `/probe ${name}`, safe: refused })),
  { name: 'effective capabilities are the eleven', shell: "awk '/CapEff/ {print $2}' /proc/self/status", safe: equals('00000000800405fb') },
  { name: 'bounding set is the same', shell: "awk '/CapBnd/ {print $2}' /proc/self/status", safe: equals('00000000800405fb') },
  { name: 'inheritable and ambient are empty', shell: "awk '/CapInh|CapAmb/ {print $2}' /proc/self/status | sort -u", safe: equals('0000000000000000') },
  { name: 'a seccomp filter is in force', shell: "awk '/^Seccomp:/ {print $2}' /proc/self/status", safe: equals('2') },
  { name: 'write /proc/sys/kernel/core_pattern', shell: 'echo x > /proc/sys/kernel/core_pattern', safe: refused },
  { name: 'write /proc/sys/vm', shell: 'echo 1 > /proc/sys/vm/drop_caches', safe: refused },
  { name: 'write /proc/sysrq-trigger', shell: 'echo b > /proc/sysrq-trigger.x 2>/dev/null; echo h > /proc/sysrq-trigger', safe: refused },
  { name: 'write /proc/irq', shell: 'f=$(ls -d /proc/irq/*/smp_affinity | head -1); echo 1 > $f', safe: refused },
  { name: 'read /proc/kcore', shell: 'test ! -e /proc/kcore || head -c 16 /proc/kcore', safe: nothing },
  { name: 'read /proc/keys', shell: 'cat /proc/keys', safe: nothing },
  { name: 'read /proc/timer_list', shell: 'test ! -e /proc/timer_list || cat /proc/timer_list', safe: nothing },
  { name: 'read /proc/interrupts', shell: 'cat /proc/interrupts', safe: nothing },
  { name: 'list /proc/acpi', shell: 'ls /proc/acpi 2>/dev/null', safe: nothing },
  { name: 'list /proc/scsi', shell: 'ls /proc/scsi 2>/dev/null', safe: nothing },
  { name: 'list /sys/firmware', shell: 'ls /sys/firmware', safe: nothing },
  { name: 'list /sys/devices/virtual/powercap', shell: 'ls /sys/devices/virtual/powercap 2>/dev/null', safe: nothing },
  { name: 'write below /sys', shell: 'echo 0 > /sys/kernel/mm/transparent_hugepage/enabled 2>&1 || mkdir /sys/x', safe: refused },
  { name: 'make a cgroup', shell: 'if [ -d /sys/fs/cgroup/memory ]; then mkdir /sys/fs/cgroup/memory/x; else mkdir /sys/fs/cgroup/x; fi', safe: refused },
  { name: 'write release_agent', shell: 'f=$(ls /sys/fs/cgroup/*/release_agent 2>/dev/null | head -1); if [ -n "$f" ]; then echo /x > $f; else echo "Permission denied (there is none)"; fi', safe: refused },
  { name: 'lift the memory limit', shell: 'for f in /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max; do [ -e $f ] && echo -1 > $f; done', safe: refused },
  { name: 'open the disk by a device node of its own', shell: 'mknod /tmp/disk b 254 0 && cat /tmp/disk | head -c 1', safe: refused },
  { name: 'only the plain devices are there', shell: 'ls /dev | tr "\\n" " "', safe: (text) => text.trim().split(/\s+/).filter((one) => !['core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr', 'stdin', 'stdout', 'tty', 'urandom', 'zero', 'console'].includes(one)).length === 0 },
  { name: 'read kernel memory', shell: 'ls /dev/mem /dev/kmem /dev/port 2>/dev/null', safe: nothing },
  { name: 'see processes of the host', shell: 'ls /proc | grep -c "^[0-9]*$"', safe: (text) => Number(text) < 8 },
  { name: 'enter the first process of the host', shell: 'readlink /proc/1/exe', safe: (text) => !/systemd|init$/.test(text) || text.includes('busybox') },
  { name: 'its root is its own', shell: 'ls /proc/1/root/ | grep -c "^vmlinuz\\|^lost+found"', safe: equals('0') },
  { name: 'a leaked descriptor', shell: 'ls /proc/self/fd | tr "\\n" " "', safe: (text) => text.trim().split(/\s+/).map(Number).every((fd) => fd <= 3) },
  { name: 'a directory through /proc/self/fd', shell: 'for f in 3 4 5 6 7 8 9; do ls /proc/1/fd/$f/../../etc/shadow 2>/dev/null; done', safe: nothing },
  { name: 'overwrite the runtime by /proc/self/exe', shell: 'for p in /proc/[0-9]*; do case $(readlink $p/exe) in *crun*|*runc*) echo x >> $p/exe && echo OK;; esac; done', safe: nothing },
  { name: 'the number of processes is limited', shell: 'cat /sys/fs/cgroup/pids/pids.max 2>/dev/null || cat /sys/fs/cgroup/pids.max', safe: equals('4096') },
  { name: 'the mounts are its own', shell: "awk '{print $5}' /proc/self/mountinfo | grep -c flotilla", safe: equals('0') },
  { name: 'the host name is its own', shell: 'hostname probe-host', safe: refused },
  { name: 'trace a process of another container', shell: 'ls -d /proc/[0-9]*/root/canary-of-the-host 2>/dev/null', safe: nothing },
  { name: 'the kernel log', shell: 'dmesg', safe: refused },
];

let roots: TestRoots;
let engine: Awaited<ReturnType<typeof openTestEngine>>;

beforeAll(async () => {
  roots = newRoots();
  engine = await openTestEngine(roots);
});

afterAll(async () => {
  for (const one of engine.containers.list()) await engine.containers.remove(one.id, { force: true, volumes: true });
  engine.containers.close();
  dropRoots(roots);
});

async function output(id: string, shell: string): Promise<string> {
  const session = await engine.containers.exec(id, { argv: ['sh', '-c', `exec 2>&1; ${shell}`], environment: {}, user: null, workingDir: null, tty: false, stdin: false, privileged: false });
  let text = '';
  session.onOutput((_, chunk) => (text += Buffer.from(chunk).toString()));
  await session.exitCode;
  return text;
}

test('none of the escape probes of a plain container gets what it tries', async () => {
  const program = probeProgram(roots.dataRoot);
  const canary = join(roots.dataRoot, 'canary');
  writeFileSync(canary, 'untouched');
  const id = newId();
  const spec = specOf({ namespaces: { ...specOf().namespaces }, mounts: [{ kind: 'bind', source: program, target: '/probe', readOnly: true, propagation: 'rprivate', createHostPath: false, isRecursive: true }] });
  await engine.containers.create(id, spec);
  await engine.containers.start(id);
  const rows: { readonly name: string; readonly got: string; readonly isSafe: boolean }[] = [];
  for (const probe of probes) {
    const got = (await output(id, probe.shell)).trim();
    rows.push({ name: probe.name, got: got.replace(/\s+/g, ' ').slice(0, 60), isSafe: probe.safe(got) });
  }
  process.stdout.write(`${rows.map((row) => `${row.isSafe ? 'held ' : 'GAVE '} ${row.name.padEnd(46)} ${row.got}`).join('\n')}\n${rows.length} probes\n`);
  expect(rows.length).toBeGreaterThanOrEqual(60);
  expect(rows.filter((row) => !row.isSafe).map((row) => `${row.name}: ${row.got}`)).toEqual([]);
  expect(existsSync(canary)).toBe(true);
});

test('a hostile image whose /dev, /proc and /etc are links to the host changes nothing there (CVE-2026-47766)', async () => {
  const lower = join(roots.dataRoot, 'hostile');
  const outside = join(roots.dataRoot, 'outside');
  execFileSync('sh', ['-c', `mkdir -p ${lower} ${outside} && cp -a ${join(roots.dataRoot, '..', 'flotilla-e2e-busybox/root')}/. ${lower}/ && rm -rf ${lower}/dev ${lower}/proc ${lower}/sys ${lower}/etc && ln -s ${outside} ${lower}/dev && ln -s ${outside} ${lower}/proc && ln -s ../../../../..${outside} ${lower}/etc && ln -s / ${lower}/sys && ln -s ${outside} ${lower}/data/escape`]);
  const other = await openTestEngine({ dataRoot: join(roots.dataRoot, 'second'), runRoot: join(roots.dataRoot, 'second/run'), cgroupParent: roots.cgroupParent }, { lower });
  const id = newId();
  const files = [{ target: '/etc/hosts', content: Buffer.from('x'), uid: 0, gid: 0, mode: 0o644, isSecret: false, readOnly: false }];
  const astray = { kind: 'tmpfs' as const, target: '/data/escape/inner', sizeBytes: null, mode: null, options: [] };
  await expect(other.containers.create(newId(), specOf({ files, mounts: [astray] }))).rejects.toMatchObject({ code: 'ENGINE_MOUNT_TARGET' });
  await other.containers.create(id, specOf({ files }));
  await other.containers.start(id);
  expect(execFileSync('ls', ['-A', outside], { encoding: 'utf8' })).toBe('');
  await other.containers.remove(id, { force: true, volumes: true });
  other.containers.close();
});
