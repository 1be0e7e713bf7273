import { describe, expect, test } from 'vitest';
import { defaultProfile } from '../../src/engine/container/seccomp/default-profile.ts';
import { compileSeccomp, parseSeccompProfile } from '../../src/engine/container/seccomp/profile.ts';
import type { OciSeccomp } from '../../src/engine/container/oci-types.ts';

const kernel = { major: 6, minor: 1 };

/** What the filter answers to a call without arguments that matter: `allow`, an errno, or `args` where it depends on them. */
function verdict(filter: OciSeccomp, name: string): string {
  const rules = filter.syscalls.filter((rule) => rule.names.includes(name));
  const plain = rules.filter((rule) => rule.args === undefined);
  if (plain.some((rule) => rule.action === 'SCMP_ACT_ALLOW')) return 'allow';
  const refused = plain.find((rule) => rule.action === 'SCMP_ACT_ERRNO');
  if (refused !== undefined) return `errno ${refused.errnoRet ?? filter.defaultErrnoRet}`;
  return rules.length > 0 ? 'args' : `errno ${filter.defaultErrnoRet}`;
}

const compile = (capabilities: readonly string[], more: Partial<Parameters<typeof compileSeccomp>[1]> = {}): OciSeccomp => compileSeccomp(defaultProfile, { capabilities, arch: 'amd64', kernel, ...more });

describe('the default filter', () => {
  test.for<[string, readonly string[], string]>([
    ['read', [], 'allow'], ['openat', [], 'allow'], ['execve', [], 'allow'], ['ptrace', [], 'allow'], ['close_range', [], 'allow'], ['landlock_restrict_self', [], 'allow'], ['futex_wait', [], 'allow'],
    ['socket', [], 'args'], ['personality', [], 'args'], ['clone', [], 'args'], ['clone', ['CAP_SYS_ADMIN'], 'allow'], ['clone3', [], 'errno 38'], ['clone3', ['CAP_SYS_ADMIN'], 'allow'],
    ['unshare', [], 'errno 1'], ['unshare', ['CAP_SYS_ADMIN'], 'allow'], ['mount', [], 'errno 1'], ['mount', ['CAP_SYS_ADMIN'], 'allow'], ['pivot_root', ['CAP_SYS_ADMIN'], 'errno 1'],
    ['setns', [], 'errno 1'], ['open_tree', [], 'errno 1'], ['fsopen', [], 'errno 1'], ['bpf', [], 'errno 1'], ['bpf', ['CAP_BPF'], 'allow'], ['perf_event_open', ['CAP_PERFMON'], 'allow'],
    ['keyctl', ['CAP_SYS_ADMIN'], 'errno 1'], ['add_key', [], 'errno 1'], ['io_uring_setup', ['CAP_SYS_ADMIN'], 'errno 1'], ['userfaultfd', [], 'errno 1'], ['kexec_load', ['CAP_SYS_BOOT'], 'errno 1'],
    ['reboot', [], 'errno 1'], ['reboot', ['CAP_SYS_BOOT'], 'allow'], ['chroot', [], 'errno 1'], ['chroot', ['CAP_SYS_CHROOT'], 'allow'], ['init_module', [], 'errno 1'], ['init_module', ['CAP_SYS_MODULE'], 'allow'],
    ['open_by_handle_at', [], 'errno 1'], ['open_by_handle_at', ['CAP_DAC_READ_SEARCH'], 'allow'], ['mbind', [], 'errno 1'], ['mbind', ['CAP_SYS_NICE'], 'allow'], ['clock_settime', [], 'errno 1'],
    ['clock_settime', ['CAP_SYS_TIME'], 'allow'], ['syslog', [], 'errno 1'], ['syslog', ['CAP_SYSLOG'], 'allow'], ['pidfd_getfd', [], 'errno 1'], ['pidfd_getfd', ['CAP_SYS_PTRACE'], 'allow'], ['iopl', [], 'errno 1'],
    ['vhangup', [], 'errno 1'], ['acct', [], 'errno 1'], ['swapon', ['CAP_SYS_ADMIN'], 'errno 1'], ['no_such_call', [], 'errno 1'], ['arch_prctl', [], 'allow'], ['cacheflush', [], 'errno 1'],
  ])('%s with %j: %s', ([name, capabilities, expected]) => {
    expect(verdict(compile(capabilities), name)).toBe(expected);
  });

  test('refuses namespaces by the flags of clone, and the families AF_ALG and AF_VSOCK of socket', () => {
    const rules = compile([]).syscalls;
    expect(rules.find((rule) => rule.names.includes('clone'))?.args).toEqual([{ index: 0, value: 0x7e020000, valueTwo: 0, op: 'SCMP_CMP_MASKED_EQ' }]);
    const families = rules.filter((rule) => rule.names.includes('socket')).map((rule) => rule.args?.[0]);
    const isAllowed = (family: number): boolean => families.some((arg) => arg !== undefined && ((arg.op === 'SCMP_CMP_LT' && family < arg.value) || (arg.op === 'SCMP_CMP_EQ' && family === arg.value) || (arg.op === 'SCMP_CMP_GT' && family > arg.value)));
    expect([1, 2, 10, 16, 17, 37, 38, 39, 40, 41].map(isAllowed)).toEqual([true, true, true, true, true, true, false, true, false, true]);
  });

  test('knows the kernel and the machine', () => {
    expect(verdict(compile([], { kernel: { major: 4, minor: 7 } }), 'ptrace')).toBe('errno 1');
    expect(verdict(compile([], { kernel: { major: 4, minor: 8 } }), 'ptrace')).toBe('allow');
    expect(verdict(compile([], { arch: 'arm64' }), 'arch_prctl')).toBe('errno 1');
    expect(verdict(compile([], { arch: 'arm64' }), 'set_tls')).toBe('allow');
    expect(compile([], { arch: 'arm64' }).architectures).toEqual(['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM']);
  });
});

test('a profile in the format of Docker is read with its conditions', () => {
  const json = JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [{ name: 'mkdir', action: 'SCMP_ACT_ERRNO', errnoRet: 13, excludes: { caps: ['CAP_SYS_ADMIN'] } }, { names: ['chmod'], action: 'SCMP_ACT_ERRNO', includes: { minKernel: '99.0' } }] });
  const facts = { arch: 'amd64' as const, kernel };
  expect(compileSeccomp(parseSeccompProfile(json), { ...facts, capabilities: [] }).syscalls).toEqual([{ names: ['mkdir'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }]);
  expect(compileSeccomp(parseSeccompProfile(json), { ...facts, capabilities: ['CAP_SYS_ADMIN'] }).syscalls).toEqual([]);
});
