import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { AgentMemory } from '../../src/agent/memory.ts';
import type { MemoryFiles } from '../../src/agent/secret-file.ts';
import { type Log, silentLog } from '../../src/base/log.ts';
import { assignmentOf } from '../../src/cluster/view/assignment.ts';
import type { Assignment } from '../../src/model/assignment.ts';
import { deployment, node, service, World } from '../cluster/world.ts';

let root = '';
beforeEach(() => void (root = mkdtempSync(join(tmpdir(), 'memory-'))));
afterEach(() => rmSync(root, { recursive: true, force: true }));

const canary = Buffer.from('the canary is yellow').toString('base64');

function assigned(withSecret: boolean): Assignment {
  const world = new World();
  const secret = { file: './key' };
  world.up(deployment({ web: service(withSecret ? { secrets: [{ source: 'key' }] } : {}), plain: service() }, withSecret ? { project: { secrets: { key: secret } }, secretData: { key: canary } } : {}));
  return assignmentOf(world.view, node.nodeId);
}

/**
 * A disk and a memory: what is "in memory" is a directory outside of the run directory that stands for the tmpfs; mounting swaps
 * `secrets` for a link to it.
 */
function machine(kind: 'tmpfs' | 'disk' | 'disk without mount'): { readonly files: MemoryFiles; readonly log: Log; readonly warned: string[]; readonly disk: () => string; readonly mounts: () => number } {
  const [run, memory] = [join(root, 'run'), join(root, 'memory')];
  const warned: string[] = [];
  let mounts = 0;
  const log: Log = { ...silentLog, warn: (_event, fields) => void warned.push(String(fields?.['code'])), error: (_event, fields) => void warned.push(String(fields?.['code'])) };
  return {
    log, warned, mounts: () => mounts,
    files: {
      isInMemory: (dir) => kind === 'tmpfs' || (mounts > 0 && dir.endsWith('/secrets')),
      mount: (dir) => {
        if (kind === 'disk without mount') throw new Error('EPERM');
        mounts += 1;
        rmSync(dir, { recursive: true });
        mkdirSync(memory, { recursive: true });
        symlinkSync(memory, dir);
      },
      unmount: (dir) => {
        if (mounts === 0) return;
        mounts -= 1;
        rmSync(dir);
        mkdirSync(dir);
      },
    },
    // What a thief of the disk reads: links lead into the memory, and are not followed.
    disk: () => readdirSync(run, { withFileTypes: true, recursive: true }).filter((entry) => entry.isFile() && !realpathSync(entry.parentPath).startsWith(memory)).map((entry) => readFileSync(join(entry.parentPath, entry.name), 'utf8')).join('\n'),
  };
}

async function open(one: ReturnType<typeof machine>): Promise<AgentMemory> {
  return AgentMemory.open({ dir: join(root, 'data'), runDir: join(root, 'run'), bootId: 'b1', log: one.log, files: one.files });
}

describe('the last assignment, with secrets', () => {
  test('comes back whole after a restart of the daemon', async () => {
    for (const kind of ['tmpfs', 'disk'] as const) {
      const one = machine(kind);
      const memory = await open(one);
      const assignment = assigned(true);
      memory.saveAssignment(assignment);
      await memory.flush();
      expect((await open(one)).savedAssignment).toEqual(assignment);
      rmSync(join(root, 'run'), { recursive: true });
    }
  });

  test('on a run directory on a disk puts no secret there, and says at the start what kind of place it is', async () => {
    const one = machine('disk');
    const memory = await open(one);
    expect(one.warned).toEqual(['AGENT_RUN_ON_DISK']);
    memory.saveAssignment(assigned(true));
    await memory.flush();
    expect(one.disk()).toContain('"tasks"');
    expect(one.disk()).not.toContain(canary);
    expect(one.mounts()).toBe(1);
    memory.saveAssignment(assigned(false));
    await memory.flush();
    expect(one.mounts()).toBe(0);
  });

  test('a mount without its file, of a daemon that was killed between the two, goes with the first assignment that has no secret', async () => {
    const one = machine('disk');
    await (await open(one)).flush();
    one.files.mount(join(root, 'run', 'secrets'));
    const memory = await open(one);
    memory.saveAssignment(assigned(false));
    await memory.flush();
    expect(one.mounts()).toBe(0);
  });

  test('where no memory can be mounted is not kept: the next daemon waits for a manager rather than make a container without its secret', async () => {
    const one = machine('disk without mount');
    const memory = await open(one);
    memory.saveAssignment(assigned(true));
    await memory.flush();
    expect(one.disk()).not.toContain(canary);
    expect(one.warned).toContain('AGENT_SECRETS_NOT_KEPT');
    expect((await open(one)).savedAssignment).toBeNull();
  });

  test('without any secret needs no memory, wherever it lies', async () => {
    const one = machine('disk without mount');
    const memory = await open(one);
    const assignment = assigned(false);
    memory.saveAssignment(assignment);
    await memory.flush();
    expect((await open(one)).savedAssignment).toEqual(assignment);
    expect(one.warned).not.toContain('AGENT_SECRETS_NOT_KEPT');
  });

  test('that is damaged counts as lost', async () => {
    const one = machine('tmpfs');
    const memory = await open(one);
    memory.saveAssignment(assigned(true));
    await memory.flush();
    for (const text of ['{', '[]', '{"x":1}', '']) {
      writeFileSync(join(root, 'run', 'secrets', 'content.json'), text);
      expect((await open(one)).savedAssignment, text).toBeNull();
    }
  });
});
