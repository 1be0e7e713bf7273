// The process that unpacks layers, one job at a time: all of it synchronous but the inflating, so the daemon's own loop never waits.
import { isAppError } from '../../base/app-error.ts';
import { serveParent } from '../../os/node-child.ts';
import { isObject, numberIn, objectIn, textIn } from './json-fields.ts';
import { Signal } from './signal.ts';
import { unpackLayer } from './unpack-layer.ts';

let grown = new Signal();
let progress = { availableBytes: 0, isWhole: false, isCancelled: false };

const report = serveParent((message) => {
  if (!isObject(message)) return;
  const job = objectIn(message, 'job');
  if (job !== null) {
    grown = new Signal();
    progress = { availableBytes: 0, isWhole: false, isCancelled: false };
    void work(job);
    return;
  }
  progress = message['kind'] === 'cancel' ? { ...progress, isCancelled: true } : { ...progress, availableBytes: numberIn(message, 'availableBytes'), isWhole: message['isWhole'] === true };
  grown.notify();
});

async function work(fields: Readonly<Record<string, unknown>>): Promise<void> {
  const job = {
    blobPath: textIn(fields, 'blobPath'),
    digest: textIn(fields, 'digest'),
    sizeBytes: numberIn(fields, 'sizeBytes'),
    diffId: textIn(fields, 'diffId'),
    targetDir: textIn(fields, 'targetDir'),
    isRoot: fields['isRoot'] === true,
  };
  try {
    const facts = await unpackLayer(job, {
      available: () => progress,
      wait: () => grown.wait(),
      onProgress: (readBytes) => report({ kind: 'progress', readBytes }),
    });
    report({ kind: 'done', ...facts });
  } catch (error) {
    const failure = isAppError(error) ? error.toJSON() : { code: 'BASE_INTERNAL', message: error instanceof Error ? (error.stack ?? error.message) : String(error) };
    report({ kind: 'failed', ...failure });
  }
}
