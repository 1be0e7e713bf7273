// Makes the examples' base images from Debian packages and puts them into the registry of registry.sh.
//   node examples/images/build.ts [--unless-public] [NAME…]
// All without names; a second run does nothing. With --unless-public nothing is made where docker.io answers.
// The last line is the registry's URL, to be configured as a mirror of docker.io.
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { closureOf, download, extract } from './debian.ts';
import type { DebianPackage } from './debian.ts';
import { layerOf } from './layer.ts';
import type { Layer } from './layer.ts';
import { pushImage } from './push.ts';
import { recipes } from './recipes.ts';
import type { Recipe } from './recipes.ts';

const here = import.meta.dirname;
const cacheDir = process.env['DEMO_IMAGES_DIR'] ?? '/var/cache/flotilla/demo-images';
const run = promisify(execFile);

type Built = { readonly recipe: Recipe; readonly layers: readonly Layer[]; readonly version: string; readonly suite: string | null; readonly packages: readonly DebianPackage[] };

async function main(args: readonly string[]): Promise<void> {
  const names = args.filter((one) => one !== '--unless-public');
  if (names.length < args.length && (await isPublicThere())) return;
  const wanted = names.length === 0 ? recipes : recipes.filter((one) => names.includes(one.name));
  const unknown = names.filter((name) => !recipes.some((one) => one.name === name));
  if (unknown.length > 0) throw new Error(`no recipe for ${unknown.join(', ')}; there are ${recipes.map((one) => one.name).join(', ')}`);
  await mkdir(cacheDir, { recursive: true });
  const registry = (await run(join(here, 'registry.sh'), ['start'])).stdout.trim();
  const used = await tagsInExamples();
  const built = new Map<string, Promise<Built>>();
  for (const recipe of wanted) {
    const stamp = await stampOf(recipe, used.get(recipe.name) ?? []);
    if (await isDone(recipe, stamp, registry)) continue;
    const began = performance.now();
    const image = await build(recipe, built);
    const tags = [...new Set([...recipe.tags(image.version, image.suite), ...(used.get(recipe.name) ?? [])])];
    const digest = await pushImage(registry, `library/${recipe.name}`, tags, image.layers, recipe.settings(image.version));
    await writeFile(stampFile(recipe), stamp);
    const megabytes = image.layers.reduce((sum, layer) => sum + layer.blob.length, 0) / 1e6;
    process.stdout.write(`${recipe.name} ${image.version}: ${megabytes.toFixed(1)} MB, ${((performance.now() - began) / 1000).toFixed(1)} s, ${digest.slice(0, 19)}, tags ${tags.join(' ')}\n`);
  }
  process.stdout.write(`${registry}\n`);
}

async function isPublicThere(): Promise<boolean> {
  try {
    const answer = await fetch('https://registry-1.docker.io/v2/', { signal: AbortSignal.timeout(3000) });
    return answer.status === 401 || answer.status === 200;
  } catch {
    return false;
  }
}

/** The image's layers, its base's first. A base is built once per run. */
async function build(recipe: Recipe, built: Map<string, Promise<Built>>): Promise<Built> {
  const known = built.get(recipe.name);
  if (known !== undefined) return await known;
  const work = make(recipe, built);
  built.set(recipe.name, work);
  return await work;
}

async function make(recipe: Recipe, built: Map<string, Promise<Built>>): Promise<Built> {
  const baseRecipe = recipes.find((one) => one.name === recipe.base);
  const base = baseRecipe === undefined ? null : await build(baseRecipe, built);
  const closure = await closureOf(recipe.packages, recipe.dropped, cacheDir);
  const below = new Set((base?.packages ?? []).map((one) => one.name));
  const packages = closure.filter((one) => !below.has(one.name));
  const archives = await download(packages, cacheDir);
  const root = await mkdtemp(join(cacheDir, 'root-'));
  try {
    await mergedUsr(root, recipe);
    await extract(archives, root);
    await prune(root);
    await recipe.finish(root);
    if (recipe.name !== 'busybox') await removeMergedLinks(root, recipe);
    const layer = await layerOf(root, recipe.ownerOf, recipe.modes);
    const release = await releaseOf(root);
    const version = versionOf(recipe, closure, release);
    return { recipe, layers: [...(base?.layers ?? []), layer], version, suite: base?.suite ?? release.get('VERSION_CODENAME') ?? null, packages: [...(base?.packages ?? []), ...packages] };
  } finally {
    await rm(root, { recursive: true, force: true });
  }
}

const mergedDirs = ['bin', 'lib', 'lib64', 'sbin'];

/** /bin, /lib … are links into /usr, as on every Debian since 12; packages that still ship /bin/x land there. */
async function mergedUsr(root: string, recipe: Recipe): Promise<void> {
  if (recipe.name === 'busybox') return;
  for (const name of mergedDirs) {
    await mkdir(join(root, 'usr', name), { recursive: true });
    await symlink(`usr/${name}`, join(root, name));
  }
}

/** In a layer above the base the links are the base's. */
async function removeMergedLinks(root: string, recipe: Recipe): Promise<void> {
  if (recipe.base === null) return;
  for (const name of mergedDirs) {
    await rm(join(root, name));
    if ((await readdir(join(root, 'usr', name))).length === 0) await rm(join(root, 'usr', name), { recursive: true });
  }
}

/** What no container needs. */
async function prune(root: string): Promise<void> {
  for (const dir of ['usr/share/doc', 'usr/share/man', 'usr/share/info', 'usr/share/lintian', 'usr/share/locale', 'usr/share/bug', 'usr/share/bash-completion', 'usr/share/doc-base', 'var/cache/apt', 'usr/lib/x86_64-linux-gnu/gconv', 'usr/lib/aarch64-linux-gnu/gconv', 'usr/share/perl', 'usr/share/perl5', 'etc/cron.daily', 'etc/logrotate.d', 'etc/systemd', 'usr/lib/systemd/system', 'usr/share/ieee-data', 'var/run', 'var/lock']) {
    await rm(join(root, dir), { recursive: true, force: true });
  }
}

function versionOf(recipe: Recipe, closure: readonly DebianPackage[], release: ReadonlyMap<string, string>): string {
  if (recipe.version === 'release') return release.get('VERSION_ID') ?? 'unknown';
  return 'fixed' in recipe.version ? recipe.version.fixed : upstreamVersion(closure, recipe.version.package);
}

async function releaseOf(root: string): Promise<ReadonlyMap<string, string>> {
  const file = join(root, 'usr/lib/os-release');
  if (!existsSync(file)) return new Map();
  return new Map(Array.from((await readFile(file, 'utf8')).matchAll(/^(\w+)="?([^"\n]*)"?$/gm), (match) => [match[1] ?? '', match[2] ?? '']));
}

function upstreamVersion(closure: readonly DebianPackage[], name: string): string {
  const found = closure.find((one) => one.name === name);
  if (found === undefined) throw new Error(`the package ${name} is not among those of its image`);
  return /^(?:\d+:)?([0-9]+(?:\.[0-9]+)*)/.exec(found.version)?.[1] ?? found.version;
}

/** Tags by which the examples call these images: they get them too, so that every example finds its image. */
async function tagsInExamples(): Promise<Map<string, string[]>> {
  const tags = new Map<string, string[]>();
  const examples = join(here, '..');
  for (const name of await readdir(examples, { recursive: true })) {
    if (!/(^|\/)((docker-)?compose[^/]*\.ya?ml|Dockerfile[^/]*)$/.test(name) || name.includes('node_modules')) continue;
    const text = await readFile(join(examples, name), 'utf8');
    for (const match of text.matchAll(/(?:image:|FROM)\s+["']?(?:docker\.io\/)?(?:library\/)?([a-z]+):([\w][\w.-]*)/g)) {
      tags.set(match[1] ?? '', [...(tags.get(match[1] ?? '') ?? []), match[2] ?? '']);
    }
  }
  return new Map([...tags].map(([name, list]) => [name, [...new Set(list)].sort()]));
}

/** A hash of all that shapes the image and is ours: the recipe's code, its files, the tags, Node's version. */
async function stampOf(recipe: Recipe, used: readonly string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([recipe.name, used, process.versions.node, process.arch]));
  for (const name of ['build.ts', 'debian.ts', 'layer.ts', 'push.ts', 'recipes.ts']) hash.update(await readFile(join(here, name)));
  for (const name of (await readdir(join(here, 'files'))).sort()) hash.update(name).update(await readFile(join(here, 'files', name)));
  return hash.digest('hex');
}

function stampFile(recipe: Recipe): string {
  return join(cacheDir, `${recipe.name}.stamp`);
}

async function isDone(recipe: Recipe, stamp: string, registry: string): Promise<boolean> {
  if (!existsSync(stampFile(recipe)) || (await readFile(stampFile(recipe), 'utf8')) !== stamp) return false;
  return (await fetch(`${registry}/v2/library/${recipe.name}/manifests/latest`, { method: 'HEAD', headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } })).status === 200;
}

await main(process.argv.slice(2));
