import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv } from 'ajv';
import { describe, expect, test } from 'vitest';
import type { ContainerSpec } from '../../src/model/container-spec.ts';
import { buildOciConfig } from '../../src/engine/container/oci-spec.ts';
import type { OciFacts } from '../../src/engine/container/oci-spec.ts';
import type { OciConfig } from '../../src/engine/container/oci-types.ts';
import { plainImage, plainSpec } from './plain-spec.ts';

const facts: OciFacts = {
  id: 'ab'.repeat(32),
  rootfs: '/var/lib/flotilla/rootfs',
  cgroupsPath: '/flotilla/ab',
  user: { uid: 0, gid: 0, additionalGids: [], home: '/root' },
  mounts: [],
  devices: [],
  joined: {},
  machine: { arch: 'amd64', kernel: { major: 6, minor: 1 }, lastCapability: 40, grantable: (1n << 41n) - 1n, hardwarePaths: ['/sys/devices/system/cpu/cpu0/thermal_throttle'] },
};

const rich: Partial<ContainerSpec> = {
  init: true, hostname: 'web', domainname: 'example.org', tty: true, privileged: false, capAdd: ['NET_ADMIN'], capDrop: ['CHOWN'], noNewPrivileges: true, readOnlyRootfs: true,
  sysctls: { 'net.core.somaxconn': '1024' }, ulimits: [{ name: 'nofile', soft: 1024, hard: -1 }], oomScoreAdj: 100, shmSizeBytes: 1_048_576, annotations: { 'run.oci.keep_original_groups': '1', 'org.example': 'x' },
  resources: { memoryBytes: 64 * 1024 * 1024, memorySwapBytes: null, memoryReservationBytes: null, nanoCpus: 500_000_000, cpuShares: 512, cpuPeriodUs: null, cpuQuotaUs: null, cpusetCpus: '0', cpusetMems: null, pidsMax: 100 },
  deviceCgroupRules: ['c 10:200 rwm'], environment: { LANG: null, APP: 'a=b' },
};

const built: readonly (readonly [string, OciConfig])[] = [
  ['a plain container', buildOciConfig(plainSpec(), plainImage, facts)],
  ['a container that asks for much', buildOciConfig(plainSpec(rich), plainImage, { ...facts, user: { uid: 1000, gid: 1001, additionalGids: [7], home: '/home/app' }, mounts: [
    { kind: 'bind', source: '/srv/a', target: '/a/b', readOnly: true, isRecursive: true, propagation: 'rslave' },
    { kind: 'tmpfs', target: '/a', sizeBytes: 1024, mode: 0o1777, options: ['exec'] },
  ], devices: [{ path: '/dev/fuse', type: 'c', major: 10, minor: 229, fileMode: 0o666, uid: 0, gid: 0, permissions: 'rw' }] })],
  ['a privileged container', buildOciConfig(plainSpec({ privileged: true }), plainImage, facts)],
];

/** The specification's own schemas; null where they are not at hand. */
function schemaCheck(): ((document: unknown) => boolean) | null {
  const dir = join(process.env['CASES'] ?? join(import.meta.dirname, '../../../shared/conformance'), 'oci/runtime');
  if (!existsSync(dir)) return null;
  const ajv = new Ajv({ strict: false, validateFormats: false });
  for (const name of readdirSync(dir).filter((one) => one.endsWith('.json'))) {
    const schema: unknown = JSON.parse(readFileSync(join(dir, name), 'utf8'));
    if (typeof schema === 'object' && schema !== null) ajv.addSchema(Object.fromEntries([...Object.entries(schema).filter(([key]) => key !== '$schema' && key !== 'id' && key !== '$id'), ['$id', `file:///${name}`]]), `file:///${name}`);
  }
  const check = ajv.getSchema('file:///config-schema.json');
  return check === undefined ? null : (document) => check(document) === true;
}

describe('the runtime document', () => {
  const isValid = schemaCheck();
  test.skipIf(isValid === null).for(built)('of %s is valid by the specification (skipped where CASES has no oci/runtime)', ([, config]) => {
    expect(isValid?.(JSON.parse(JSON.stringify(config)))).toBe(true);
  });

  test.skipIf(isValid === null)('the checker knows bad documents', () => {
    expect(isValid?.({ ociVersion: 1 })).toBe(false);
  });

  test.for(built)('of %s is as recorded', ([name, config]) => {
    const { seccomp, ...linux } = config.linux;
    const text = JSON.stringify({ ...config, linux: { ...linux, seccomp: seccomp === undefined ? 'none' : `${seccomp.syscalls.length} rules` } }, null, 1);
    return expect(`${text}\n`).toMatchFileSnapshot(`./golden/${name.replaceAll(' ', '-')}.json`);
  });

  test('a tmpfs lies on /dev whatever is asked, and no annotation steers the runtime', () => {
    for (const [, config] of built) {
      expect(config.mounts.find((mount) => mount.destination === '/dev')?.type).toBe('tmpfs');
      expect(Object.keys(config.annotations).some((name) => name.startsWith('run.oci'))).toBe(false);
      expect(config.process.capabilities['inheritable']).toEqual([]);
    }
  });

  test.for<{ readonly kernel: readonly [number, number]; readonly submounts?: 'writable' | 'read-only'; readonly isRecursive?: boolean; readonly readOnly?: boolean; readonly options: readonly string[] | 'ENGINE_UNSUPPORTED' }>([
    { kernel: [5, 11], options: ['rbind', 'ro', 'rprivate'] },
    { kernel: [5, 12], options: ['rbind', 'ro', 'rro', 'rprivate'] },
    { kernel: [6, 0], submounts: 'read-only', options: ['rbind', 'ro', 'rro', 'rprivate'] },
    { kernel: [6, 0], submounts: 'writable', options: ['rbind', 'ro', 'rprivate'] },
    { kernel: [6, 0], isRecursive: false, options: ['bind', 'ro', 'rprivate'] },
    { kernel: [6, 0], readOnly: false, options: ['rbind', 'rw', 'rprivate'] },
    { kernel: [5, 11], submounts: 'read-only', options: 'ENGINE_UNSUPPORTED' },
  ])('a read-only bind is so all the way down where the kernel can: $kernel $submounts', ({ kernel: [major, minor], options, ...more }) => {
    const build = (): OciConfig => buildOciConfig(plainSpec(), plainImage, { ...facts, machine: { ...facts.machine, kernel: { major, minor } }, mounts: [{ kind: 'bind', source: '/srv', target: '/srv', readOnly: true, isRecursive: true, propagation: 'rprivate', ...more }] });
    if (options === 'ENGINE_UNSUPPORTED') expect(build).toThrowError(expect.objectContaining({ code: options }));
    else expect(build().mounts.find((one) => one.destination === '/srv')?.options).toEqual(options);
  });

  test.for<[string, Partial<ContainerSpec>, string]>([
    ['no command at all', { command: [], entrypoint: [] }, 'ENGINE_CONTAINER_SPEC'],
    ['a capability that root lacks here', { capAdd: ['LINUX_IMMUTABLE'] }, 'ENGINE_CONTAINER_SPEC'],
    ['an unknown capability', { capAdd: ['FLY'] }, 'ENGINE_CONTAINER_SPEC'],
    ['a sysctl of the host', { sysctls: { 'vm.swappiness': '1' } }, 'ENGINE_CONTAINER_SPEC'],
    ['a network sysctl on the network of the host', { sysctls: { 'net.core.somaxconn': '1' }, namespaces: { ...plainSpec().namespaces, network: { kind: 'host' } } }, 'ENGINE_CONTAINER_SPEC'],
    ['a working directory below /proc', { workingDir: '/proc/self/fd/8' }, 'ENGINE_CONTAINER_SPEC'],
    ['a working directory that leads there', { workingDir: '/srv/../proc/1' }, 'ENGINE_CONTAINER_SPEC'],
    ['an unknown ulimit', { ulimits: [{ name: 'wings', soft: 1, hard: 1 }] }, 'ENGINE_CONTAINER_SPEC'],
    ['soft above hard', { ulimits: [{ name: 'nofile', soft: 2, hard: 1 }] }, 'ENGINE_CONTAINER_SPEC'],
    ['too little memory', { resources: { ...plainSpec().resources, memoryBytes: 6 * 1024 * 1024 - 1 } }, 'ENGINE_CONTAINER_SPEC'],
    ['a device rule that is none', { deviceCgroupRules: ['x 1:1 r'] }, 'ENGINE_CONTAINER_SPEC'],
    ['a seccomp profile that is none', { seccomp: { kind: 'profile', json: '{' } }, 'ENGINE_SECCOMP_PROFILE'],
    ['a seccomp profile with an unknown key', { seccomp: { kind: 'profile', json: '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[],"denyAll":true}' } }, 'ENGINE_SECCOMP_PROFILE'],
    ['a name of a variable with =', { environment: { 'a=b': 'c' } }, 'ENGINE_CONTAINER_SPEC'],
    ['a NUL in an argument', { command: ['a\0b'] }, 'ENGINE_CONTAINER_SPEC'],
  ])('%s is refused', ([, more, code]) => {
    const lacking = { ...facts, machine: { ...facts.machine, grantable: facts.machine.grantable & ~(1n << 9n) } };
    expect(() => buildOciConfig(plainSpec(more), plainImage, lacking)).toThrowError(expect.objectContaining({ code }));
  });
});
