import { AppError } from '../../base/app-error.ts';
import type { Clock } from '../../base/clock.ts';
import { isErrorCode } from '../../base/error-codes.ts';
import { limits } from '../../base/limits.ts';
import { startNodeChild } from '../../os/node-child.ts';
import type { NodeChild } from '../../os/node-child.ts';
import { isObject, numberIn, textIn } from './json-fields.ts';
import type { UnpackFacts, UnpackJob } from './unpack-job.ts';

/** One layer being unpacked. `grow` tells it how much of the blob is there. */
export type Unpacking = {
  readonly grow: (availableBytes: number, isWhole: boolean) => void;
  readonly done: Promise<UnpackFacts>;
};

/** Processes that unpack, so that neither the work nor its memory is the daemon's. */
export type UnpackPool = {
  /** Waits for a free one. After an abort, `done` rejects when it has stopped writing, which is at its next piece. */
  readonly start: (job: UnpackJob, options: { readonly signal: AbortSignal; readonly onProgress: (readBytes: number) => void }) => Promise<Unpacking>;
  readonly close: () => void;
};

/** One that has nothing to do for this long goes. */
const idleMs = 5_000;

export function openUnpackPool(clock: Clock): UnpackPool {
  const idle: { readonly child: NodeChild; cancel: () => void }[] = [];
  const waiting: (() => void)[] = [];
  const all = new Set<NodeChild>();
  let busy = 0;

  const release = (child: NodeChild, isUsable: boolean): void => {
    busy -= 1;
    if (isUsable) {
      child.hold(false);
      const one = { child, cancel: (): void => undefined };
      one.cancel = clock.after(
        idleMs,
        () => {
          idle.splice(idle.indexOf(one), 1);
          child.kill();
        },
        true,
      );
      idle.push(one);
    } else child.kill();
    waiting.shift()?.();
  };

  const start = (): NodeChild => {
    const child = startNodeChild(workerFile());
    all.add(child);
    child.onEnd(() => {
      all.delete(child);
      const at = idle.findIndex((one) => one.child === child);
      if (at >= 0) idle.splice(at, 1)[0]?.cancel();
    });
    return child;
  };

  const take = async (signal: AbortSignal): Promise<NodeChild> => {
    while (busy >= limits.unpackersMax) await new Promise<void>((resolve) => waiting.push(resolve));
    if (signal.aborted) waiting.shift()?.();
    signal.throwIfAborted();
    busy += 1;
    const kept = idle.pop();
    kept?.cancel();
    const child = kept?.child ?? start();
    child.hold(true);
    return child;
  };

  return {
    start: async (job, options) => {
      const child = await take(options.signal);
      const done = watch(child, options, (isUsable) => release(child, isUsable));
      // The caller awaits it later; a failure before that is not unhandled.
      done.catch(() => undefined);
      child.send({ kind: 'job', job });
      return { grow: (availableBytes, isWhole) => child.send({ kind: 'grown', availableBytes, isWhole }), done };
    },
    close: () => {
      for (const one of idle.splice(0)) one.cancel();
      for (const child of all) child.kill();
    },
  };
}

function watch(child: NodeChild, options: { readonly signal: AbortSignal; readonly onProgress: (readBytes: number) => void }, release: (isUsable: boolean) => void): Promise<UnpackFacts> {
  return new Promise((resolve, reject) => {
    let isOver = false;
    const finish = (isUsable: boolean, settle: () => void): void => {
      if (isOver) return;
      isOver = true;
      options.signal.removeEventListener('abort', onAbort);
      release(isUsable);
      settle();
    };
    // NOTE: it is asked, not killed: when it answers, nothing writes into the staging directory any more.
    const onAbort = (): void => child.send({ kind: 'cancel' });
    options.signal.addEventListener('abort', onAbort);
    child.onEnd((why) => finish(false, () => reject(new AppError({ code: 'ENGINE_UNPACK_FAILED', message: `the unpacking process ended early: ${why}` }))));
    child.onMessage((message) => {
      if (!isObject(message)) return;
      if (message['kind'] === 'progress') options.onProgress(numberIn(message, 'readBytes'));
      else if (message['kind'] === 'done') finish(true, () => resolve({ entries: numberIn(message, 'entries'), unpackedBytes: numberIn(message, 'unpackedBytes') }));
      else finish(true, () => reject(failureOf(textIn(message, 'code'), textIn(message, 'message'), textIn(message, 'hint'))));
    });
    if (options.signal.aborted) onAbort();
  });
}

function failureOf(code: string, message: string, hint: string): AppError {
  return new AppError({ code: isErrorCode(code) ? code : 'BASE_INTERNAL', message, ...(hint === '' ? {} : { hint }) });
}

/** Beside this file in the sources; in the bundle at the top of dist/, whichever chunk this is in. */
function workerFile(): URL {
  const here = import.meta.url;
  if (here.endsWith('.ts')) return new URL('./unpack-worker.ts', here);
  return new URL(/\/chunks\/[^/]*$/.test(here) ? '../unpack-worker.js' : './unpack-worker.js', here);
}
