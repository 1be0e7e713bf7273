import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import type { ContainerEvent } from '../../src/model/container.ts';
import type { ContainerSpec } from '../../src/model/container-spec.ts';
import type { Engine } from '../../src/engine/engine.ts';

/** What every engine owes its callers. `spec` gives a container of an image that is there, running until it is stopped. */
export function engineContract(subject: { readonly engine: () => Pick<Engine, 'containers' | 'volumes'>; readonly spec: (more?: Partial<ContainerSpec>) => ContainerSpec }): void {
  const newId = (): string => randomBytes(32).toString('hex');
  const containers = (): Engine['containers'] => subject.engine().containers;
  const heard = (): { readonly events: ContainerEvent[]; readonly stop: () => void } => {
    const events: ContainerEvent[] = [];
    return { events, stop: containers().onEvent((event) => events.push(event)) };
  };

  test('a container goes from created to running to exited to gone, and each step is told once', async () => {
    const { events, stop } = heard();
    const id = newId();
    expect(await containers().create(id, subject.spec())).toMatchObject({ id, state: 'created', pid: null, startedMs: null, exitCode: null });
    expect(await containers().start(id)).toMatchObject({ state: 'running', finishedMs: null });
    expect(containers().get(id)?.pid).toBeGreaterThan(0);
    expect(await containers().stop(id, { graceMs: 0 })).toMatchObject({ state: 'exited', pid: null, exitCode: 137 });
    await containers().remove(id, { force: false, volumes: true });
    expect(containers().get(id)).toBeNull();
    expect(containers().spec(id)).toBeNull();
    stop();
    expect(events.filter((event) => event.containerId === id).map((event) => event.kind)).toEqual(['created', 'started', 'exited', 'removed']);
  });

  test('calls are idempotent: creating, starting, stopping twice, removing what is gone', async () => {
    const id = newId();
    const spec = subject.spec();
    const first = await containers().create(id, spec);
    expect(await containers().create(id, spec)).toEqual(first);
    const { pid } = await containers().start(id);
    expect((await containers().start(id)).pid).toBe(pid);
    await containers().stop(id, { graceMs: 0 });
    expect((await containers().stop(id, { graceMs: 0 })).state).toBe('exited');
    await containers().remove(id, { force: false, volumes: true });
    await containers().remove(id, { force: false, volumes: true });
  });

  test('a running container is removed only by force, and signalled only while it runs', async () => {
    const id = newId();
    await containers().create(id, subject.spec());
    await expect(containers().kill(id, 'SIGTERM')).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_NOT_RUNNING' });
    await containers().start(id);
    await expect(containers().remove(id, { force: false, volumes: true })).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_RUNNING' });
    await containers().remove(id, { force: true, volumes: true });
    expect(containers().list().some((one) => one.id === id)).toBe(false);
  });

  test('what cannot be is refused with its code, and leaves nothing', async () => {
    const id = newId();
    const spec = subject.spec();
    await expect(containers().start(id)).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_UNKNOWN' });
    await expect(containers().create('short', spec)).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_SPEC' });
    await expect(containers().create(id, { ...spec, image: 'no-such-image' })).rejects.toMatchObject({ code: 'ENGINE_IMAGE_MISSING' });
    expect(containers().get(id)).toBeNull();
    await containers().create(id, spec);
    await expect(containers().create(newId(), spec)).rejects.toMatchObject({ code: 'ENGINE_CONTAINER_NAME' });
    await containers().remove(id, { force: true, volumes: true });
  });

  test('volumes: named ones stay, those without a name go with their container, none goes while it is mounted', async () => {
    const { volumes } = subject.engine();
    const name = `contract-${randomBytes(4).toString('hex')}`;
    const id = newId();
    const mount = { kind: 'volume' as const, readOnly: false, noCopy: true, subpath: null };
    const before = (await volumes.list()).length;
    await containers().create(id, subject.spec({ mounts: [{ ...mount, volumeName: name, target: '/named' }, { ...mount, volumeName: '', target: '/nameless' }] }));
    expect(await volumes.list()).toHaveLength(before + 2);
    await expect(volumes.remove(name)).rejects.toMatchObject({ code: 'ENGINE_VOLUME_IN_USE' });
    await containers().remove(id, { force: true, volumes: true });
    expect(await volumes.get(name)).toMatchObject({ name });
    await volumes.remove(name);
    await volumes.remove(name);
    expect(await volumes.list()).toHaveLength(before);
  });
}
