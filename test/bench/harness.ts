import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';

/** One line of the result. `ratio` is ours divided by the peer's; `ok` where it keeps to the bar, or null where there is no bar. */
export type BenchLine = {
  readonly name: string;
  readonly unit: string;
  readonly ours: number;
  readonly peer: number | null;
  readonly peerName: string | null;
  readonly ratio: number | null;
  /** `<= 0.25`: of the ratio where there is a peer (unless the bench says that it is of ours), else of ours. `>= 3` likewise. */
  readonly bar: string | null;
  readonly ok: boolean | null;
};

export type Bench = {
  /** What ONLY selects by: `up10`, `store/writes-32`. */
  readonly name: string;
  readonly needsRoot: boolean;
  readonly run: (context: BenchContext) => Promise<readonly BenchLine[]>;
};

export type BenchContext = { readonly runs: number; readonly note: (text: string) => void };

/** Runs ours and the peer in turn, A B A B, so that a machine that slows down slows both. Answers the medians. */
export async function inTurn(runs: number, ours: () => Promise<number>, peer: () => Promise<number>): Promise<{ readonly ours: number; readonly peer: number }> {
  const [a, b]: [number[], number[]] = [[], []];
  for (let run = 0; run < runs; run += 1) {
    a.push(await ours());
    b.push(await peer());
  }
  return { ours: median(a), peer: median(b) };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((x, y) => x - y);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? (sorted[middle] ?? Number.NaN) : ((sorted[middle - 1] ?? Number.NaN) + (sorted[middle] ?? Number.NaN)) / 2;
}

export function line(fields: { readonly name: string; readonly unit: string; readonly ours: number; readonly peer?: number; readonly peerName?: string; readonly bar?: string; readonly barOf?: 'ratio' | 'ours' }): BenchLine {
  const ratio = fields.peer === undefined ? null : fields.ours / fields.peer;
  const value = fields.barOf === 'ours' ? fields.ours : (ratio ?? fields.ours);
  return {
    name: fields.name, unit: fields.unit, ours: round(fields.ours), peer: fields.peer === undefined ? null : round(fields.peer), peerName: fields.peerName ?? null,
    ratio: ratio === null ? null : round(ratio), bar: fields.bar ?? null, ok: fields.bar === undefined ? null : keeps(value, fields.bar),
  };
}

function keeps(value: number, bar: string): boolean {
  const match = /^(<=|>=) ([\d.]+)$/.exec(bar);
  if (match === null) throw new Error(`a bar is "<= n" or ">= n", not ${bar}`);
  return match[1] === '<=' ? value <= Number(match[2]) : value >= Number(match[2]);
}

function round(value: number): number {
  return Number(value.toPrecision(4));
}

export type Timed = { readonly wallMs: number; readonly cpuMs: number; readonly stdout: string };

/** Runs a command to its end; a failure is an error with its output. CPU is of the command and its reaped children. */
export function timed(argv: readonly string[], options: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>>; readonly mayFail?: boolean } = {}): Promise<Timed> {
  const [file = '', ...args] = argv;
  return new Promise((resolve, reject) => {
    const before = childCpuMs();
    const began = performance.now();
    const child = spawn(file, args, { cwd: options.cwd, env: { ...process.env, ...options.env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (chunk: Buffer) => void (stdout += chunk.toString()));
    child.stderr.on('data', (chunk: Buffer) => void (stderr += chunk.toString()));
    child.on('error', reject);
    child.on('close', (code) => {
      const wallMs = performance.now() - began;
      if (code !== 0 && options.mayFail !== true) reject(new Error(`${argv.join(' ')} ended with ${code}: ${stderr.slice(-2000)}`));
      else resolve({ wallMs, cpuMs: childCpuMs() - before, stdout });
    });
  });
}

/** User and system time of children that were waited for, in ms: fields 16 and 17 of /proc/self/stat, in ticks of 10 ms. */
function childCpuMs(): number {
  const fields = readFileSync('/proc/self/stat', 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[13]) + Number(fields[14])) * 10;
}

/** User and system time of a process that lives, in ms. */
export function processCpuMs(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

/** Memory that a process keeps resident, and its share of shared pages, in bytes. */
export function processMemory(pid: number): { readonly rssBytes: number; readonly pssBytes: number } {
  const text = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8');
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)?.[1] ?? 0) * 1024;
  return { rssBytes: field('Rss'), pssBytes: field('Pss') };
}

/** MemAvailable of the machine, in bytes. */
export function availableBytes(): number {
  return Number(/MemAvailable:\s+(\d+) kB/.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? 0) * 1024;
}
