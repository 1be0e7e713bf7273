import { basename } from 'node:path';
import { AppError } from '../../base/app-error.ts';
import type { Log } from '../../base/log.ts';
import { mountControllers, strayControllers, unmountControllers } from '../../os/cgroup.ts';
import type { CgroupLayout } from '../../os/cgroup.ts';
import { readFromFifo, writeToFifo } from '../../os/fifo.ts';
import type { FifoOutcome } from '../../os/fifo.ts';
import { findProgram } from '../../os/machine.ts';
import { run } from '../../os/spawn.ts';

/** The low-level runtime and the monitor that work on this machine. */
export type Runtime = {
  readonly name: 'crun' | 'runc';
  readonly path: string;
  readonly version: string;
  readonly monitorPath: string;
  readonly monitorVersion: string;
  /** Lets a created container's process go on to the user's program. */
  readonly release: (stateDir: string, signal: AbortSignal) => Promise<FifoOutcome>;
};

export type RuntimeChoice = 'auto' | 'crun' | 'runc';

const missingHint = 'apt-get install crun conmon';

/**
 * Finds a runtime that works here: asked once, by the command that every other needs too. crun is the quicker by far;
 * it refuses a hybrid cgroup layout as long as a controller sits in its v2 tree, so such a one is given its customary v1
 * hierarchy first, and where that can't be, runc is taken.
 * Errors: ENGINE_RUNTIME_MISSING.
 */
export async function findRuntime(options: { readonly choice: RuntimeChoice; readonly layout: CgroupLayout; readonly runtimeRoot: string; readonly log: Log }): Promise<Runtime> {
  const monitorPath = findProgram(['conmon']);
  if (monitorPath === null) throw new AppError({ code: 'ENGINE_RUNTIME_MISSING', message: 'conmon, which watches over each container, is not installed', hint: missingHint });
  const monitorVersion = /version ([\d.]+)/.exec((await run([monitorPath, '--version'])).stdout)?.[1] ?? 'unknown';
  const names = options.choice === 'auto' ? (['crun', 'runc'] as const) : ([options.choice] as const);
  const refusals: string[] = [];
  for (const name of names) {
    const path = findProgram([name]);
    if (path === null) {
      refusals.push(`${name} is not installed`);
      continue;
    }
    const refusal = name === 'crun' ? await crunRefusal(path, options) : null;
    if (refusal !== null) {
      refusals.push(`${name}: ${refusal}`);
      options.log.info('engine.runtime-refused', { runtime: name, why: refusal });
      continue;
    }
    const text = (await run([path, '--version'])).stdout;
    return { name, path, version: /version ([\w.+~-]+)/.exec(text)?.[1] ?? 'unknown', monitorPath, monitorVersion, release: name === 'crun' ? releaseCrun : releaseRunc };
  }
  throw new AppError({ code: 'ENGINE_RUNTIME_MISSING', message: `no container runtime works here: ${refusals.join('; ')}`, hint: missingHint });
}

/** The reason why crun can't work here; null where it can. */
async function crunRefusal(path: string, options: { readonly layout: CgroupLayout; readonly runtimeRoot: string }): Promise<string | null> {
  if (options.layout.version === 2) return null;
  const stray = strayControllers();
  if (stray.length === 0) return null;
  const mounted = mountControllers(stray);
  if (strayControllers().length === 0) return null;
  unmountControllers(mounted);
  return `${basename(path)} refuses a hybrid cgroup layout whose v2 tree holds ${stray.join(', ')}`;
}

/*
 * Both runtimes leave the created process waiting at a named pipe in their state directory, at opposite ends. Doing what
 * `start` does with it saves a process per container (2 ms with crun, 30 ms with runc).
 * Source: crun src/libcrun/status.c, runc libcontainer/container_linux.go (behaviour).
 */
async function releaseCrun(stateDir: string): Promise<FifoOutcome> {
  return writeToFifo(`${stateDir}/exec.fifo`);
}

async function releaseRunc(stateDir: string, signal: AbortSignal): Promise<FifoOutcome> {
  return await readFromFifo(`${stateDir}/exec.fifo`, signal);
}
