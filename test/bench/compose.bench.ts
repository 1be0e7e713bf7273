import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { availableBytes, type Bench, type BenchContext, type BenchLine, line, median } from './harness.ts';
import type { Side, Spent } from './measured-side.ts';
import { home, startOurs } from './ours.ts';
import { startDocker } from './peers/docker.ts';

const image = 'busybox';
const settleMs = 3_000;
const idleMs = 10_000;

/** Both daemons run at once, each in its own world; the commands come in turn. */
type Pair = { readonly ours: Side; readonly peer: Side };
let pair: Promise<Pair> | null = null;

async function startPair(): Promise<Pair> {
  const { stdout } = await promisify(execFile)(process.execPath, [join(home, 'examples', 'images', 'build.ts'), image], { maxBuffer: 1 << 24 });
  const mirror = stdout.trim().split('\n').at(-1) ?? '';
  const peer = await startDocker({ image: { name: image, layer: await layerOf(mirror) } });
  const ours = await startOurs({ mirror, image }).catch(async (error: unknown) => {
    await peer.close();
    throw error;
  });
  for (const side of [ours, peer]) {
    writeProject(side, 'ten', Array.from({ length: 10 }, (_, index) => `s${index}`));
    writeProject(side, 'many', ['s']);
    // What the first application of a daemon costs once is not measured.
    await side.compose('ten', ['up', '-d']);
    await side.compose('ten', ['down', '-t', '0']);
  }
  return { ours, peer };
}

/** The one layer of the image, as its registry keeps it. */
async function layerOf(mirror: string): Promise<Buffer> {
  const manifest: unknown = await (await fetch(`${mirror}/v2/library/${image}/manifests/latest`, { headers: { accept: 'application/vnd.oci.image.manifest.v1+json' } })).json();
  const digest = /"layers":\[\{[^}]*"digest":"(sha256:[0-9a-f]{64})"/.exec(JSON.stringify(manifest))?.[1];
  if (digest === undefined) throw new Error(`${image} has no layer: ${JSON.stringify(manifest)}`);
  return Buffer.from(await (await fetch(`${mirror}/v2/library/${image}/blobs/${digest}`)).arrayBuffer());
}

function writeProject(side: Side, name: string, services: readonly string[]): void {
  const folder = side.folder(name);
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'compose.yaml'), `services:\n${services.map((service) => `  ${service}:\n    image: ${image}\n    command: [sleep, "100000"]\n`).join('')}`);
}

type Verb = 'up' | 'noop' | 'ps' | 'down';
const verbs: readonly Verb[] = ['up', 'noop', 'ps', 'down'];
const argsOf: Readonly<Record<Verb, readonly string[]>> = { up: ['up', '-d'], noop: ['up', '-d'], ps: ['ps'], down: ['down', '-t', '0'] };
type Cycles = Readonly<Record<Verb, readonly Spent[]>>;
let cycles: Promise<{ readonly ours: Cycles; readonly peer: Cycles }> | null = null;

/** Ten services up, up again, listed and taken down, in turn on both sides: all four figures come from the same rounds. */
async function runCycles(context: BenchContext): Promise<{ readonly ours: Cycles; readonly peer: Cycles }> {
  const { ours, peer } = await (pair ??= startPair());
  const collected = { ours: empty(), peer: empty() };
  for (let run = 0; run < context.runs; run += 1) {
    for (const verb of verbs) {
      collected.ours[verb].push(await ours.compose('ten', argsOf[verb]));
      collected.peer[verb].push(await peer.compose('ten', argsOf[verb]));
    }
  }
  return collected;
}

function empty(): Record<Verb, Spent[]> {
  return { up: [], noop: [], ps: [], down: [] };
}

function cycleBench(name: string, verb: Verb, bar: string): Bench {
  return {
    name,
    needsRoot: true,
    run: async (context) => {
      const { ours, peer } = await (cycles ??= runCycles(context));
      return linesOf(name, ours[verb], peer[verb], (await startedPair()).peer.name, bar);
    },
  };
}

function linesOf(name: string, ours: readonly Spent[], peer: readonly Spent[], peerName: string, bar: string | null): BenchLine[] {
  const of = (spent: readonly Spent[], key: keyof Spent): number => median(spent.map((one) => one[key]));
  return [
    line({ name, unit: 'ms', ours: of(ours, 'wallMs'), peer: of(peer, 'wallMs'), peerName, ...(bar === null ? {} : { bar }) }),
    line({ name: `${name}/cpu`, unit: 's', ours: of(ours, 'cpuMs') / 1000, peer: of(peer, 'cpuMs') / 1000, peerName }),
  ];
}

function startedPair(): Promise<Pair> {
  return (pair ??= startPair());
}

/** A hundred containers of one service, and what they cost the machine while they do nothing. */
const hundred: Bench = {
  name: 'hundred',
  needsRoot: true,
  run: async (context) => {
    const { ours, peer } = await startedPair();
    const rounds = Math.max(1, Math.round(context.runs / 5));
    const measured: Record<'ours' | 'peer', { readonly up: Spent; readonly down: Spent; readonly bytes: number }[]> = { ours: [], peer: [] };
    for (let round = 0; round < rounds; round += 1) {
      measured.ours.push(await hundredOf(ours));
      measured.peer.push(await hundredOf(peer));
    }
    const megabytes = (side: 'ours' | 'peer'): number => median(measured[side].map((one) => one.bytes)) / 100 / 1e6;
    return [
      ...linesOf('up100', measured.ours.map((one) => one.up), measured.peer.map((one) => one.up), peer.name, null),
      ...linesOf('down100', measured.ours.map((one) => one.down), measured.peer.map((one) => one.down), peer.name, null),
      line({ name: 'memory', unit: 'MB a container', ours: megabytes('ours'), peer: megabytes('peer'), peerName: peer.name, bar: '<= 0.3334' }),
    ];
  },
};

async function hundredOf(side: Side): Promise<{ readonly up: Spent; readonly down: Spent; readonly bytes: number }> {
  await settle(settleMs);
  const before = availableBytes();
  const up = await side.compose('many', ['up', '-d', '--scale', 's=100']);
  await settle(settleMs);
  const bytes = before - availableBytes();
  const down = await side.compose('many', ['down', '-t', '0']);
  return { up, down, bytes };
}

/** What the daemon keeps when it has worked and nothing is left to do. */
const idle: Bench = {
  name: 'idle',
  needsRoot: true,
  run: async () => {
    const { ours, peer } = await startedPair();
    await settle(idleMs);
    return [line({ name: 'idle', unit: 'MB', ours: ours.residentBytes() / 1e6, peer: peer.residentBytes() / 1e6, peerName: 'dockerd and containerd', bar: '<= 120', barOf: 'ours' })];
  },
};

/** The kernel frees what is gone a moment later. */
function settle(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

export const benches: readonly Bench[] = [cycleBench('up10', 'up', '<= 0.25'), cycleBench('noop', 'noop', '<= 0.8'), cycleBench('ps', 'ps', '<= 0.8'), cycleBench('down10', 'down', '<= 0.25'), idle, hundred];

export async function close(): Promise<void> {
  if (pair === null) return;
  const { ours, peer } = await pair.catch(() => ({ ours: null, peer: null }));
  await ours?.close();
  await peer?.close();
}
