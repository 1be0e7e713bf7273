import { chmod, copyFile, link, mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { Owner } from './layer.ts';
import type { ImageSettings } from './push.ts';

const run = promisify(execFile);

/**
 * How one image is made. `packages` are unpacked with all they need (without `dropped` and what the base has),
 * then `finish` shapes the tree.
 */
export type Recipe = {
  readonly name: string;
  /** The image whose layers lie below; null for none. */
  readonly base: string | null;
  readonly packages: readonly string[];
  readonly dropped: readonly string[];
  readonly finish: (root: string) => Promise<void>;
  readonly ownerOf: (path: string) => Owner;
  readonly modes: Readonly<Record<string, number>>;
  readonly settings: (version: string) => ImageSettings;
  /** The package whose version gives the tags, or a fixed version, or that of the release (/etc/os-release). */
  readonly version: { readonly package: string } | { readonly fixed: string } | 'release';
  /** `suite` is the release's code name, as `bookworm`; null in an image without one. */
  readonly tags: (version: string, suite: string | null) => readonly string[];
};

const path = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';
const byRoot = (): Owner => ({ uid: 0, gid: 0 });
const under = (dir: string, owner: Owner) => (name: string): Owner => (name === dir || name.startsWith(`${dir}/`) ? owner : byRoot());
const files = join(import.meta.dirname, 'files');
/** Packages that only package scripts need, or that are large and unused here. */
const maintenance = ['adduser', 'debconf', 'dpkg', 'init-system-helpers', 'install-info', 'libsemanage-common', 'libsemanage2', 'libsepol2', 'lsb-base', 'passwd', 'perl', 'perl-base', 'perl-modules-5.36', 'perl-modules-5.38', 'perl-modules-5.40', 'sensible-utils', 'sysvinit-utils', 'ucf', 'usrmerge', 'usr-is-merged', 'tar', 'libdb5.3', 'libgdbm6', 'libgdbm6t64', 'libgdbm-compat4', 'libgdbm-compat4t64', 'libperl5.36', 'libperl5.38', 'libperl5.38t64', 'libperl5.40', 'gcc-12-base', 'gcc-14-base', 'libpam-modules', 'libpam-modules-bin', 'libpam-runtime', 'iproute2', 'libbpf1', 'libelf1', 'libxtables12', 'libmnl0', 'libcap2-bin', 'libtirpc3', 'libtirpc-common'];

export const recipes: readonly Recipe[] = [busybox(), debian(), node(), nginx(), postgres(), redis()];

function busybox(): Recipe {
  return {
    name: 'busybox',
    base: null,
    packages: ['busybox'],
    dropped: ['gcc-12-base', 'gcc-14-base', 'libgcc-s1', 'libcrypt1'],
    finish: async (root) => {
      await keepOnly(root, /^(bin|lib|lib64|usr)(\/|$)/);
      await outOfUsr(root);
      const binary = join(root, 'bin', 'busybox');
      await keepLibraries(root, ['ld-linux', 'libc.so', 'libresolv.so', 'libm.so', 'libnss_', 'libcrypt.so']);
      const applets = (await runInside(root, binary, ['--list'])).split('\n').filter((name) => name !== '' && name !== 'busybox');
      for (const name of applets) await link(binary, join(root, 'bin', name));
      await addAccounts(root, []);
      for (const dir of ['dev', 'etc', 'home', 'proc', 'root', 'sys', 'tmp', 'usr/bin', 'usr/sbin', 'var/spool/mail', 'var/www']) await mkdir(join(root, dir), { recursive: true });
      await symlink('/bin/env', join(root, 'usr/bin/env'));
    },
    ownerOf: byRoot,
    modes: { tmp: 0o1777 },
    settings: () => ({ env: [path], cmd: ['sh'] }),
    version: { package: 'busybox' },
    tags: (version) => ['latest', 'glibc', 'stable', ...versionTags(version, [''])],
  };
}

function debian(): Recipe {
  return {
    name: 'debian',
    base: null,
    packages: ['base-files', 'bash', 'coreutils', 'dash', 'debianutils', 'diffutils', 'findutils', 'grep', 'gzip', 'hostname', 'libc-bin', 'mawk', 'sed', 'tar', 'util-linux', 'ncurses-base', 'netbase'],
    dropped: maintenance.filter((name) => name !== 'tar'),
    finish: async (root) => {
      await addAccounts(root, []);
      for (const dir of ['dev', 'etc', 'home', 'proc', 'root', 'run', 'sys', 'tmp', 'var/tmp', 'usr/local/bin']) await mkdir(join(root, dir), { recursive: true });
      await symlinkIfFree('/run', join(root, 'var/run'));
      await symlinkIfFree('/run/lock', join(root, 'var/lock'));
      await symlinkIfFree('dash', join(root, 'usr/bin/sh'));
      await symlinkIfFree('mawk', join(root, 'usr/bin/awk'));
    },
    ownerOf: byRoot,
    modes: { tmp: 0o1777, 'var/tmp': 0o1777, root: 0o700 },
    settings: () => ({ env: [path], cmd: ['bash'] }),
    version: 'release',
    tags: (version, suite) => ['latest', 'stable', 'stable-slim', ...versionTags(version, ['', '-slim']), ...suiteTags(suite, ['', '-slim'])],
  };
}

function node(): Recipe {
  const version = process.versions.node;
  return {
    name: 'node',
    base: 'debian',
    packages: ['libstdc++6', 'libatomic1'],
    dropped: maintenance,
    finish: async (root) => {
      await mkdir(join(root, 'usr/local/bin'), { recursive: true });
      await copyFile(process.execPath, join(root, 'usr/local/bin/node'));
      await chmod(join(root, 'usr/local/bin/node'), 0o755);
      await symlink('node', join(root, 'usr/local/bin/nodejs'));
      await addScript(root, 'node-entrypoint.sh', 'usr/local/bin/docker-entrypoint.sh');
      await mkdir(join(root, 'home/node'), { recursive: true });
      await addAccounts(root, [{ name: 'node', id: 1000, home: '/home/node', shell: '/bin/bash' }]);
    },
    ownerOf: under('home/node', { uid: 1000, gid: 1000 }),
    modes: {},
    settings: () => ({ env: [path, `NODE_VERSION=${version}`], entrypoint: ['docker-entrypoint.sh'], cmd: ['node'] }),
    version: { fixed: version },
    tags: (_, suite) => ['latest', 'lts', 'slim', 'lts-slim', ...versionTags(version, ['', '-slim', ...suiteTags(suite, ['', '-slim']).map((one) => `-${one}`)])],
  };
}

function nginx(): Recipe {
  return {
    name: 'nginx',
    base: 'debian',
    packages: ['nginx', 'gettext-base', 'curl'],
    dropped: maintenance,
    finish: async (root) => {
      for (const dir of ['etc/nginx/sites-available', 'etc/nginx/sites-enabled', 'etc/nginx/modules-enabled', 'etc/nginx/modules-available', 'etc/nginx/conf.d', 'var/www', 'etc/init.d', 'usr/lib/nginx']) await rm(join(root, dir), { recursive: true, force: true });
      for (const dir of ['etc/nginx/conf.d', 'etc/nginx/templates', 'docker-entrypoint.d', 'var/cache/nginx', 'var/log/nginx', 'var/lib/nginx', 'usr/share/nginx/html']) await mkdir(join(root, dir), { recursive: true });
      await copyFile(join(files, 'nginx.conf'), join(root, 'etc/nginx/nginx.conf'));
      await copyFile(join(files, 'nginx-default.conf'), join(root, 'etc/nginx/conf.d/default.conf'));
      await writeFile(join(root, 'usr/share/nginx/html/index.html'), '<!DOCTYPE html>\n<html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>\n');
      await writeFile(join(root, 'usr/share/nginx/html/50x.html'), '<!DOCTYPE html>\n<html><head><title>Error</title></head><body><h1>An error occurred.</h1></body></html>\n');
      await symlink('/dev/stdout', join(root, 'var/log/nginx/access.log'));
      await symlink('/dev/stderr', join(root, 'var/log/nginx/error.log'));
      await addScript(root, 'nginx-entrypoint.sh', 'docker-entrypoint.sh');
      await addScript(root, 'nginx-templates.sh', 'docker-entrypoint.d/20-envsubst-on-templates.sh');
      await addAccounts(root, [{ name: 'nginx', id: 101, home: '/nonexistent', shell: '/bin/false' }]);
    },
    ownerOf: under('var/cache/nginx', { uid: 101, gid: 101 }),
    modes: {},
    settings: (version) => ({ env: [path, `NGINX_VERSION=${version}`], entrypoint: ['/docker-entrypoint.sh'], cmd: ['nginx', '-g', 'daemon off;'], exposed: ['80/tcp'], stopSignal: 'SIGQUIT' }),
    version: { package: 'nginx' },
    tags: (version, suite) => ['latest', 'stable', 'mainline', ...withSuite(version, suite)],
  };
}

function postgres(): Recipe {
  const owner = { uid: 999, gid: 999 };
  return {
    name: 'postgres',
    base: 'debian',
    packages: ['postgresql', 'tzdata'],
    dropped: [...maintenance, 'libllvm14', 'libllvm17', 'libllvm17t64', 'libllvm19', 'libz3-4', 'locales', 'libc-l10n', 'postgresql', 'postgresql-common', 'postgresql-client-common', 'libjson-perl', 'ssl-cert', 'openssl', 'logrotate', 'cron'],
    finish: async (root) => {
      const major = (await readdir(join(root, 'usr/lib/postgresql')))[0] ?? '';
      await rm(join(root, 'usr/lib/postgresql', major, 'lib/bitcode'), { recursive: true, force: true });
      for (const name of ['llvmjit.so', 'llvmjit_types.bc']) await rm(join(root, 'usr/lib/postgresql', major, 'lib', name), { force: true });
      for (const dir of ['docker-entrypoint-initdb.d', 'var/lib/postgresql/data', 'run/postgresql']) await mkdir(join(root, dir), { recursive: true });
      await mkdir(join(root, 'usr/local/bin'), { recursive: true });
      for (const name of await readdir(join(root, 'usr/lib/postgresql', major, 'bin'))) await symlinkIfFree(`/usr/lib/postgresql/${major}/bin/${name}`, join(root, 'usr/local/bin', name));
      await run('sed', ['-i', "s/^#listen_addresses = 'localhost'/listen_addresses = '*'/", join(root, 'usr/share/postgresql', major, 'postgresql.conf.sample')]);
      await addScript(root, 'postgres-entrypoint.sh', 'usr/local/bin/docker-entrypoint.sh');
      await addScript(root, 'gosu', 'usr/local/bin/gosu');
      await addAccounts(root, [{ name: 'postgres', id: 999, home: '/var/lib/postgresql', shell: '/bin/bash' }]);
    },
    ownerOf: (name) => (/^(var\/lib\/postgresql|run\/postgresql)(\/|$)/.test(name) ? owner : byRoot()),
    modes: { 'var/lib/postgresql/data': 0o1777, 'run/postgresql': 0o3777 },
    settings: (version) => ({
      env: [`${path}:/usr/lib/postgresql/${majorOf(version)}/bin`, 'LANG=C.UTF-8', `PG_MAJOR=${majorOf(version)}`, `PG_VERSION=${version}`, 'PGDATA=/var/lib/postgresql/data'],
      entrypoint: ['docker-entrypoint.sh'],
      cmd: ['postgres'],
      exposed: ['5432/tcp'],
      volumes: ['/var/lib/postgresql/data'],
      stopSignal: 'SIGINT',
    }),
    version: { package: 'libpq5' },
    tags: (version, suite) => ['latest', ...suiteTags(suite, ['']), ...withSuite(version, suite)],
  };
}

function redis(): Recipe {
  const owner = { uid: 999, gid: 999 };
  return {
    name: 'redis',
    base: 'debian',
    packages: ['redis-server'],
    dropped: maintenance,
    finish: async (root) => {
      for (const dir of ['etc/redis', 'etc/init.d', 'var', 'lib/systemd', 'usr/lib/systemd']) await rm(join(root, dir), { recursive: true, force: true });
      await mkdir(join(root, 'data'));
      await mkdir(join(root, 'usr/local/bin'), { recursive: true });
      await addScript(root, 'redis-entrypoint.sh', 'usr/local/bin/docker-entrypoint.sh');
      await addScript(root, 'gosu', 'usr/local/bin/gosu');
      await addAccounts(root, [{ name: 'redis', id: 999, home: '/home/redis', shell: '/bin/sh' }]);
    },
    ownerOf: under('data', owner),
    modes: {},
    settings: (version) => ({ env: [path, `REDIS_VERSION=${version}`], entrypoint: ['docker-entrypoint.sh'], cmd: ['redis-server'], workingDir: '/data', exposed: ['6379/tcp'], volumes: ['/data'] }),
    version: { package: 'redis-server' },
    tags: (version, suite) => ['latest', ...suiteTags(suite, ['']), ...withSuite(version, suite)],
  };
}

function majorOf(version: string): string {
  return version.split('.')[0] ?? version;
}

/** `7.0.15` → 7, 7.0, 7.0.15, each with every suffix. */
function versionTags(version: string, suffixes: readonly string[]): string[] {
  const parts = version.split('.');
  return parts.flatMap((_, index) => suffixes.map((suffix) => `${parts.slice(0, index + 1).join('.')}${suffix}`));
}

function suiteTags(suite: string | null, suffixes: readonly string[]): string[] {
  return suite === null ? [] : suffixes.map((suffix) => `${suite}${suffix}`);
}

function withSuite(version: string, suite: string | null): string[] {
  return versionTags(version, ['', ...suiteTags(suite, ['']).map((one) => `-${one}`)]);
}

type Account = { readonly name: string; readonly id: number; readonly home: string; readonly shell: string };

/** The files of accounts whole: what a package's scripts would have made one by one. */
async function addAccounts(root: string, accounts: readonly Account[]): Promise<void> {
  const system = 'daemon:1 bin:2 sys:3 tty:5 mail:8 news:9 proxy:13 www-data:33 backup:34 nogroup:65534'.split(' ').map((one) => one.split(':'));
  const passwd = ['root:x:0:0:root:/root:/bin/sh', 'daemon:x:1:1:daemon:/usr/sbin:/bin/false', 'bin:x:2:2:bin:/bin:/bin/false', 'www-data:x:33:33:www-data:/var/www:/bin/false', 'nobody:x:65534:65534:nobody:/nonexistent:/bin/false'];
  const group = ['root:x:0:', ...system.map(([name, id]) => `${name}:x:${id}:`), 'users:x:100:'];
  for (const one of accounts) {
    passwd.push(`${one.name}:x:${one.id}:${one.id}:${one.name}:${one.home}:${one.shell}`);
    group.push(`${one.name}:x:${one.id}:`);
  }
  const etc = join(root, 'etc');
  await mkdir(etc, { recursive: true });
  await writeFile(join(etc, 'passwd'), `${passwd.join('\n')}\n`);
  await writeFile(join(etc, 'group'), `${group.join('\n')}\n`);
  await writeFile(join(etc, 'nsswitch.conf'), 'passwd: files\ngroup: files\nshadow: files\nhosts: files dns\nnetworks: files\nprotocols: files\nservices: files\n');
  await writeFile(join(etc, 'shadow'), `${passwd.map((line) => `${line.split(':')[0]}:*:19000:0:99999:7:::`).join('\n')}\n`);
  await chmod(join(etc, 'shadow'), 0o640);
}

async function addScript(root: string, source: string, target: string): Promise<void> {
  await copyFile(join(files, source), join(root, target));
  await chmod(join(root, target), 0o755);
}

async function symlinkIfFree(target: string, at: string): Promise<void> {
  await symlink(target, at).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error;
  });
}

async function keepOnly(root: string, kept: RegExp): Promise<void> {
  for (const name of await readdir(root)) if (!kept.test(name)) await rm(join(root, name), { recursive: true });
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch {
    return [];
  }
}

/** Debian 13 ships under /usr what lay beside it before; the programs' loader is still found at /lib64. */
async function outOfUsr(root: string): Promise<void> {
  for (const top of ['bin', 'lib', 'lib64']) {
    if ((await namesIn(join(root, top))).length > 0 || (await namesIn(join(root, 'usr', top))).length === 0) continue;
    await rename(join(root, 'usr', top), join(root, top));
  }
}

/** Of the C library's package, only these: each name is the beginning of a file name. */
async function keepLibraries(root: string, names: readonly string[]): Promise<void> {
  await rm(join(root, 'usr/share'), { recursive: true, force: true });
  for (const top of ['lib', 'lib64', 'usr/lib', 'usr/lib64']) {
    for (const dir of await namesIn(join(root, top))) {
      if (!dir.endsWith('-linux-gnu')) continue;
      for (const name of await readdir(join(root, top, dir))) {
        if (!names.some((one) => name.startsWith(one))) await rm(join(root, top, dir, name), { recursive: true });
      }
    }
  }
}

/** Runs a program of the tree with the tree's own C library, so that this machine's plays no part. */
async function runInside(root: string, program: string, args: readonly string[]): Promise<string> {
  const { stdout } = await run('/bin/sh', ['-c', 'root=$1; shift; loader=$(ls "$root"/lib64/ld-linux* "$root"/lib/ld-linux* 2>/dev/null | head -1); exec "$loader" --library-path "$(ls -d "$root"/lib/*-linux-gnu "$root"/usr/lib/*-linux-gnu 2>/dev/null | head -1)" "$@"', 'sh', root, program, ...args]);
  return stdout;
}
