import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { localVolumes } from '../../src/engine/volume/local-volumes.ts';
import { realClock } from '../../src/os/real-clock.ts';

test.for(['../../x', '', '/etc', 'a/b', 'a\u0000b'])('%j can be neither made nor there: its removal is done at once, so that nobody waits for it for ever', async (name) => {
  const root = mkdtempSync(join(tmpdir(), 'flotilla-volumes-'));
  try {
    const volumes = localVolumes({ root, clock: realClock, usersOf: () => [] });
    await expect(volumes.create({ name, driver: 'local', labels: {}, options: {} })).rejects.toMatchObject({ code: 'ENGINE_VOLUME_NAME' });
    await expect(volumes.remove(name)).resolves.toBeUndefined();
  } finally {
    rmSync(root, { recursive: true });
  }
});
