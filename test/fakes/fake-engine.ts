import { AppError } from '../../src/base/app-error.ts';
import type { Clock } from '../../src/base/clock.ts';
import type { ContainerEvent, ContainerInfo, HealthState, ImageConfig, ImageInfo, LogLine, VolumeInfo } from '../../src/model/container.ts';
import type { ContainerSpec } from '../../src/model/container-spec.ts';
import type { Containers, Engine, ExecOptions, ExecSession, ImageStore, Volumes } from '../../src/engine/engine.ts';

/** An engine in memory, held to the same contract suite as the real one, with handles for a test to make things happen. */
export type FakeEngine = Engine & {
  readonly addImage: (reference: string, config?: Partial<ImageConfig>) => ImageInfo;
  /** The process of a running container ends. */
  readonly exit: (id: string, exitCode: number, oomKilled?: boolean) => void;
  readonly setHealth: (id: string, health: HealthState) => void;
  readonly writeLog: (id: string, stream: 'stdout' | 'stderr', text: string) => void;
  /** The next call of this name fails with the error. */
  readonly failNext: (call: 'pull' | 'create' | 'start' | 'stop' | 'remove', error: AppError) => void;
  /** What was asked, in order: `create name`, `start name` … */
  readonly calls: readonly string[];
};

type Row = { spec: ContainerSpec; info: ContainerInfo; logs: LogLine[]; anonymous: readonly string[]; waiters: (() => void)[] };

const emptyConfig: ImageConfig = { user: '', env: [], entrypoint: [], cmd: ['sh'], workingDir: '', labels: {}, exposedPorts: [], volumes: [], stopSignal: '', healthcheck: null };

export function fakeEngine(options: { readonly clock: Pick<Clock, 'nowMs'>; readonly pullable?: readonly string[]; readonly onExec?: (id: string, options: ExecOptions) => { readonly stdout: string; readonly code: number } }): FakeEngine {
  const rows = new Map<string, Row>();
  const images = new Map<string, ImageInfo>();
  const volumes = new Map<string, VolumeInfo>();
  const listeners = new Set<(event: ContainerEvent) => void>();
  const failures = new Map<string, AppError>();
  const calls: string[] = [];
  let nextPid = 1000;
  const now = (): number => options.clock.nowMs();
  const emit = (event: ContainerEvent): void => listeners.forEach((listener) => listener(event));
  const failIfAsked = (call: string): void => {
    const error = failures.get(call);
    failures.delete(call);
    if (error !== undefined) throw error;
  };
  const row = (id: string): Row => {
    const found = rows.get(id);
    if (found === undefined) throw new AppError({ code: 'ENGINE_CONTAINER_UNKNOWN', message: `there is no container ${id.slice(0, 12)}` });
    return found;
  };
  const familiar = (reference: string): string => (reference.includes(':') ? reference : `${reference}:latest`);
  const usersOf = (name: string): string[] => [...rows.values()].filter((one) => one.spec.mounts.some((mount) => mount.kind === 'volume' && mount.volumeName === name)).map((one) => one.spec.name);
  const addImage = (reference: string, config: Partial<ImageConfig> = {}): ImageInfo => {
    const image: ImageInfo = { id: `sha256:${familiar(reference)}`, tags: [familiar(reference)], repoDigests: [], createdMs: now(), sizeBytes: 1, os: 'linux', architecture: 'amd64', config: { ...emptyConfig, ...config } };
    images.set(familiar(reference), image);
    return image;
  };
  const end = (id: string, exitCode: number, oomKilled: boolean): void => {
    const one = row(id);
    if (one.info.state !== 'running') return;
    one.info = { ...one.info, state: 'exited', pid: null, exitCode, oomKilled, finishedMs: now() };
    emit({ kind: 'exited', containerId: id, timeMs: now(), exitCode, oomKilled });
    one.waiters.splice(0).forEach((done) => done());
  };
  const makeVolume = (name: string, labels: Readonly<Record<string, string>> = {}, driverOptions: Readonly<Record<string, string>> = {}): VolumeInfo => {
    const made = volumes.get(name) ?? { name, mountpoint: `/fake/volumes/${name}/_data`, labels, options: driverOptions, createdMs: now() };
    volumes.set(name, made);
    return made;
  };

  const store: ImageStore = {
    pull: async ({ reference, onProgress }) => {
      calls.push(`pull ${reference}`);
      failIfAsked('pull');
      const found = images.get(familiar(reference));
      if (found === undefined && options.pullable?.includes(reference) !== true) throw new AppError({ code: 'ENGINE_PULL_NOT_FOUND', message: `no registry has ${reference}` });
      onProgress?.({ id: reference, status: 'pulled' });
      return found ?? addImage(reference);
    },
    pin: async ({ reference }) => {
      const found = images.get(familiar(reference));
      if (found === undefined) throw new AppError({ code: 'ENGINE_PULL_NOT_FOUND', message: `no registry has ${reference}` });
      return `${reference}@${found.id}`;
    },
    list: async () => [...images.values()],
    get: async (reference) => images.get(familiar(reference)) ?? [...images.values()].find((one) => one.id === reference) ?? null,
    remove: async (reference) => {
      const tag = familiar(reference);
      if ([...rows.values()].some((one) => familiar(one.spec.image) === tag)) throw new AppError({ code: 'ENGINE_IMAGE_IN_USE', message: `${tag} is in use` });
      const id = images.get(tag)?.id;
      images.delete(tag);
      return { untagged: [tag], deleted: id === undefined ? [] : [id] };
    },
    tag: async (source, target) => {
      const found = images.get(familiar(source));
      if (found === undefined) throw new AppError({ code: 'ENGINE_IMAGE_MISSING', message: `there is no image ${source}` });
      images.set(familiar(target), { ...found, tags: [...found.tags, familiar(target)] });
    },
  };

  const containers: Containers = {
    create: async (id, wanted) => {
      calls.push(`create ${wanted.name}`);
      const existing = rows.get(id);
      if (existing !== undefined) return existing.info;
      failIfAsked('create');
      if (!/^[0-9a-f]{64}$/.test(id)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${id} is no container id` });
      if ([...rows.values()].some((one) => one.spec.name === wanted.name)) throw new AppError({ code: 'ENGINE_CONTAINER_NAME', message: `the name ${wanted.name} is taken` });
      const image = images.get(familiar(wanted.image));
      if (image === undefined) throw new AppError({ code: 'ENGINE_IMAGE_MISSING', message: `the image ${wanted.image} is not on this node` });
      const anonymous: string[] = [];
      const mounts = wanted.mounts.map((mount) => {
        if (mount.kind !== 'volume') return mount;
        const volumeName = mount.volumeName === '' ? `anonymous-${id.slice(0, 8)}-${anonymous.length}` : mount.volumeName;
        if (mount.volumeName === '') anonymous.push(volumeName);
        makeVolume(volumeName);
        return { ...mount, volumeName };
      });
      const info: ContainerInfo = {
        id, name: wanted.name, image: wanted.image, imageId: image.id, labels: { ...image.config.labels, ...wanted.labels }, state: 'created', pid: null, createdMs: now(), startedMs: null,
        finishedMs: null, exitCode: null, oomKilled: false, health: 'none', healthLog: [], command: [...(wanted.entrypoint ?? image.config.entrypoint), ...(wanted.command ?? image.config.cmd)],
      };
      rows.set(id, { spec: { ...wanted, mounts }, info, logs: [], anonymous, waiters: [] });
      emit({ kind: 'created', containerId: id, timeMs: now() });
      return info;
    },
    start: async (id) => {
      const one = row(id);
      calls.push(`start ${one.spec.name}`);
      failIfAsked('start');
      if (one.info.state === 'running') return one.info;
      const pid = (nextPid += 1);
      const hasProbe = one.spec.healthcheck !== null && one.spec.healthcheck.test.kind !== 'none';
      one.info = { ...one.info, state: 'running', pid, startedMs: now(), finishedMs: null, exitCode: null, oomKilled: false, health: hasProbe ? 'starting' : 'none' };
      emit({ kind: 'started', containerId: id, timeMs: now(), pid });
      return one.info;
    },
    stop: async (id, stopOptions) => {
      const one = row(id);
      calls.push(`stop ${one.spec.name}`);
      failIfAsked('stop');
      end(id, stopOptions.graceMs === 0 ? 137 : 143, false);
      return one.info;
    },
    kill: async (id, signal) => {
      const one = row(id);
      calls.push(`kill ${one.spec.name} ${signal}`);
      if (one.info.state !== 'running') throw new AppError({ code: 'ENGINE_CONTAINER_NOT_RUNNING', message: `container ${one.spec.name} does not run` });
      if (/^(?:SIG)?KILL$|^9$/.test(signal)) end(id, 137, false);
    },
    remove: async (id, removeOptions) => {
      const one = rows.get(id);
      if (one === undefined) return;
      calls.push(`remove ${one.spec.name}`);
      failIfAsked('remove');
      if (one.info.state === 'running' && !removeOptions.force) throw new AppError({ code: 'ENGINE_CONTAINER_RUNNING', message: `container ${one.spec.name} runs` });
      end(id, 137, false);
      rows.delete(id);
      if (removeOptions.volumes) one.anonymous.forEach((name) => volumes.delete(name));
      emit({ kind: 'removed', containerId: id, timeMs: now() });
    },
    list: () => [...rows.values()].map((one) => one.info),
    get: (id) => rows.get(id)?.info ?? null,
    spec: (id) => rows.get(id)?.spec ?? null,
    onEvent: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exec: async (id, execOptions) => {
      const one = row(id);
      if (one.info.state !== 'running') throw new AppError({ code: 'ENGINE_CONTAINER_NOT_RUNNING', message: `container ${one.spec.name} does not run` });
      return fakeSession(options.onExec?.(id, execOptions) ?? { stdout: '', code: 0 });
    },
    logs: async function* (id, logOptions) {
      const one = row(id);
      let at = logOptions.tailLines === null ? 0 : Math.max(0, one.logs.length - logOptions.tailLines);
      for (;;) {
        const hasEnded = one.info.state !== 'running';
        for (; at < one.logs.length; at += 1) {
          const line = one.logs[at];
          if (line !== undefined && (logOptions.sinceMs === null || line.timeMs >= logOptions.sinceMs) && (logOptions.untilMs === null || line.timeMs <= logOptions.untilMs)) yield line;
        }
        if (!logOptions.follow || hasEnded || logOptions.signal?.aborted === true) return;
        await new Promise<void>((resolve) => {
          one.waiters.push(resolve);
          logOptions.signal?.addEventListener('abort', () => resolve(), { once: true });
        });
      }
    },
    rewriteFile: async (id, target, content) => {
      const one = row(id);
      if (!one.spec.files.some((file) => file.target === target)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${one.spec.name} has no injected file ${target}` });
      one.spec = { ...one.spec, files: one.spec.files.map((file) => (file.target === target ? { ...file, content } : file)) };
    },
  };

  const volumeStore: Volumes = {
    create: async ({ name, labels, driver, options: driverOptions }) => {
      if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]*$/.test(name)) throw new AppError({ code: 'ENGINE_VOLUME_NAME', message: `${name} is no name of a volume` });
      if (driver !== 'local' && driver !== '') throw new AppError({ code: 'ENGINE_VOLUME_DRIVER', message: `there is no driver ${driver}` });
      return makeVolume(name, labels, driverOptions);
    },
    list: async () => [...volumes.values()].sort((a, b) => (a.name < b.name ? -1 : 1)),
    get: async (name) => volumes.get(name) ?? null,
    remove: async (name) => {
      if (usersOf(name).length > 0) throw new AppError({ code: 'ENGINE_VOLUME_IN_USE', message: `volume ${name} is mounted by ${usersOf(name).join(', ')}` });
      volumes.delete(name);
    },
  };

  return {
    images: store,
    containers,
    volumes: volumeStore,
    info: () => ({ runtime: 'fake', runtimeVersion: '0', monitorVersion: '0', cgroupVersion: 2, snapshotter: 'overlayfs', dataRoot: '/fake' }),
    close: async () => listeners.clear(),
    addImage,
    exit: (id, exitCode, oomKilled = false) => end(id, exitCode, oomKilled),
    setHealth: (id, health) => {
      const one = row(id);
      one.info = { ...one.info, health };
      emit({ kind: 'health', containerId: id, timeMs: now(), health });
    },
    writeLog: (id, stream, text) => {
      const one = row(id);
      one.logs.push({ stream, timeMs: now(), time: new Date(now()).toISOString(), text, isPartial: false });
      one.waiters.splice(0).forEach((done) => done());
    },
    failNext: (call, error) => failures.set(call, error),
    calls,
  };
}

function fakeSession(result: { readonly stdout: string; readonly code: number }): ExecSession {
  return {
    onOutput: (listener) => {
      if (result.stdout !== '') listener('stdout', Buffer.from(result.stdout));
    },
    write: () => undefined,
    endInput: () => undefined,
    resize: () => undefined,
    kill: () => undefined,
    exitCode: Promise.resolve(result.code),
    started: async () => undefined,
    failure: () => null,
  };
}
