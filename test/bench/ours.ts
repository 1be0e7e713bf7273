import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { instanceOf } from '../../src/daemon/identity.ts';
import { kernelNames } from '../../src/net/link-names.ts';
import { makeCpuGroup } from './cpu-group.ts';
import { processMemory, timed } from './harness.ts';
import { type Side, spend } from './measured-side.ts';

export const home: string = join(import.meta.dirname, '..', '..');
const flotilla = join(home, 'bin', 'flotilla');

/** Not the daemon's own choice: another daemon on the machine may be about to take the same. */
const pools = [{ cidr: '198.18.0.0/15', prefixLength: 24 }];

/** A Flotilla with data, sockets and kernel names of its own. */
export async function startOurs(options: { readonly mirror: string; readonly image: string }): Promise<Side> {
  const dir = mkdtempSync(join(tmpdir(), 'flotilla-bench-'));
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ registries: { mirrors: { 'docker.io': [options.mirror] } }, addressPools: pools, logLevel: 'warn' }));
  const env = { FLOTILLA_ROOT: join(dir, 'root'), FLOTILLA_RUN: join(dir, 'run'), FLOTILLA_CONFIG: join(dir, 'config.json'), NO_COLOR: '1' };
  const group = makeCpuGroup('ours');
  const daemon = spawn(flotilla, ['daemon'], { env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'inherit'] });
  const pid = daemon.pid ?? 0;
  group.add(pid);
  const folders = new Set<string>();
  const close = async (): Promise<void> => {
    // A bench that failed half-way leaves its containers.
    for (const cwd of folders) await timed([flotilla, 'compose', 'down', '-v', '-t', '0'], { cwd, env, mayFail: true });
    const gone = daemon.exitCode !== null ? Promise.resolve() : new Promise((resolve) => daemon.once('close', resolve));
    daemon.kill('SIGTERM');
    await gone;
    for (const mount of mountsBelow(dir)) execFileSync('umount', ['-l', mount]);
    forgetInKernel(join(dir, 'root'));
    rmSync(dir, { recursive: true, force: true });
    group.remove();
  };
  try {
    await answers(env);
    await timed([flotilla, 'pull', options.image], { env });
  } catch (error) {
    await close();
    throw error;
  }
  return {
    name: 'flotilla',
    folder: (name) => join(dir, name),
    compose: (folder, args) => {
      folders.add(join(dir, folder));
      return spend(group, [flotilla, 'compose', ...args], { cwd: join(dir, folder), env });
    },
    residentBytes: () => processMemory(pid).rssBytes,
    close,
  };
}

async function answers(env: Readonly<Record<string, string>>): Promise<void> {
  for (let tries = 0; ; tries += 1) {
    try {
      // NOTE: `version` alone starts no daemon of its own.
      const { stdout } = await timed([flotilla, 'version', '--format', 'json'], { env });
      if (stdout.includes('"Server":{') || stdout.includes('"Server": {')) return;
    } catch (error) {
      if (tries > 300) throw error;
    }
    if (tries > 300) throw new Error('our daemon does not answer');
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

/** A daemon leaves its table and the link of the gateways to the next one, which there won't be. */
function forgetInKernel(root: string): void {
  const { table, linkPrefix } = kernelNames(instanceOf(root));
  const links = readdirSync('/sys/class/net').filter((name) => name.startsWith(linkPrefix));
  for (const command of [['nft', 'delete', 'table', 'inet', table], ...links.map((link) => ['ip', 'link', 'delete', link])]) spawnSync(command[0] ?? '', command.slice(1), { stdio: 'ignore' });
}

function mountsBelow(dir: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')[4] ?? '').filter((path) => path.startsWith(`${dir}/`)).reverse();
}
