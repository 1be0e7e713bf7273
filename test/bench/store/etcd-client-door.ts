import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Door } from './load.ts';

/**
 * etcd through the client that a Node program would use, package `etcd3` over grpc-js. It costs several times what the server does, so this line
 * says what a program gets, not what etcd can do. Our own door (our-door.ts) is as bare as etcd-door.ts: the line that compares like with like
 * is that of the bare client, and it is always printed beside this one.
 */
export const etcdClientVersion = '1.1.2';

/** The parts of the package that are used. */
type EtcdClient = { readonly put: (key: string) => { readonly value: (value: string) => { readonly exec: () => Promise<unknown> } }; readonly close: () => void };
type EtcdPackage = { readonly Etcd3: new (options: { readonly hosts: string }) => EtcdClient };

/** Installs it once, exactly this version, into `cacheDir`; it is no dependency of the project. Answers the folder, or why there is none. */
export function installEtcdClient(cacheDir: string, note: (text: string) => void): { readonly folder: string } | { readonly refusal: string } {
  const folder = join(cacheDir, `etcd3-${etcdClientVersion}`);
  if (existsSync(join(folder, 'node_modules', 'etcd3'))) return { folder };
  const part = `${folder}.${process.pid}`;
  try {
    note(`installs etcd3@${etcdClientVersion} into ${folder}`);
    mkdirSync(part, { recursive: true });
    writeFileSync(join(part, 'package.json'), '{"private":true}');
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--save-exact', `etcd3@${etcdClientVersion}`], { cwd: part, stdio: ['ignore', 'ignore', 'pipe'], timeout: 120_000 });
    renameSync(part, folder);
    return { folder };
  } catch (error) {
    rmSync(part, { recursive: true, force: true });
    return { refusal: error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error) };
  }
}

export async function openEtcdClientDoor(target: string, folder: string): Promise<Door> {
  // NOTE: the package has types of its own, but it is not there when the project is checked.
  const { Etcd3 } = createRequire(join(folder, 'package.json'))('etcd3') as EtcdPackage;
  const client = new Etcd3({ hosts: `http://${target}` });
  // The connection is made by the first call.
  await client.put('first').value('').exec();
  return {
    put: (key, value, done) => {
      client.put(key).value(value).exec().then(() => done(null), (error: unknown) => done(String(error)));
    },
    flush: () => undefined,
    close: () => client.close(),
  };
}
