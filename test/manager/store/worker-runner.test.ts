import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { plainKeys } from '../../../src/manager/store/seal.ts';
import { startWorker } from '../../../src/manager/store/worker-runner.ts';

test('what is asked of a thread that was told to end, or has ended, is answered', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'worker-'));
  try {
    const { runner } = await startWorker({ role: 'bulk', dir, clusterId: 'c', memberId: 'm', segmentSizeBytes: 65_536, keys: plainKeys }, () => undefined);
    const ask = (): Promise<string> => new Promise((resolve) => runner.submit({ kind: 'keys-in-use' }, (error, answer) => resolve(error?.code ?? answer.kind)));
    const before = ask();
    const ended = new Promise<void>((resolve) => runner.close(resolve));
    const after = ask();
    expect(await Promise.all([before, after])).toEqual(['key-ids', 'MANAGER_CLOSED']);
    await ended;
    expect(await ask()).toBe('MANAGER_CLOSED');
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
});
