import { readFileSync } from 'node:fs';
import { arch, availableParallelism, hostname, totalmem } from 'node:os';

/** What this machine says of itself. `architecture` in the words of OCI images. */
export type MachineFacts = {
  readonly hostname: string;
  readonly os: 'linux';
  readonly architecture: string;
  readonly cpuCount: number;
  readonly memoryBytes: number;
  readonly bootId: string;
  readonly resolvConf: string;
  readonly hostsFile: string;
};

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64', arm: 'arm', ia32: '386', ppc64: 'ppc64le', s390x: 's390x', riscv64: 'riscv64' };

/** `bootId` may be given in its place, so that a reboot can be tried without one. */
export function readMachineFacts(bootId: string | undefined): MachineFacts {
  return {
    hostname: hostname(),
    os: 'linux',
    architecture: architectures[arch()] ?? arch(),
    cpuCount: availableParallelism(),
    memoryBytes: totalmem(),
    bootId: bootId ?? read('/proc/sys/kernel/random/boot_id').trim(),
    resolvConf: read('/etc/resolv.conf'),
    hostsFile: read('/etc/hosts'),
  };
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
