import { AppError } from '../../base/app-error.ts';
import { randomHexId } from '../../base/ids.ts';
import type { ImageConfig } from '../../model/container.ts';
import type { ContainerSpec, InjectedFile } from '../../model/container-spec.ts';
import { removeTree } from '../../os/files.ts';
import { mountMemory } from '../../os/memory-dir.ts';
import { listMounts } from '../../os/mount.ts';
import { isOnTmpfs, makeDirQuick, removeQuick, setOwnerAndMode, writeFresh, writeQuick } from '../../os/quick-files.ts';
import { anonymousLabel, slotLabel, targetLabel } from '../volume/local-volumes.ts';
import { destroyRun } from './clear-run.ts';
import type { EngineContext } from './engine-context.ts';
import { newEntry } from './entry.ts';
import type { Entry } from './entry.ts';
import { commandLine, normalizePath } from './process.ts';
import { encodeSpec } from './stored-spec.ts';
import type { StoredState } from './stored-state.ts';

const secretsBytesMax = 256 * 1024 * 1024;

/** What the room of all containers does with a new one: `begin` enters it and makes what runs, `forget` takes it out again. */
export type Entering = { readonly begin: (entry: Entry) => Promise<void>; readonly forget: () => void };

/**
 * Makes a container: directory, state `creating`, volumes, files, the runtime's process, and last the state `ready`.
 * Whatever fails on the way, or a death of this process, leaves nothing (at the latest after the next `open`).
 *
 * The disk is not waited for: what a machine that dies in the next moment loses of a container, the next `open` removes, and whoever
 * wished for it (the store, which is on the disk by then) has it made again. Files that came to the disk half are seen to be such.
 */
export async function createContainer(context: EngineContext, id: string, wanted: ContainerSpec, entering: Entering): Promise<Entry> {
  const { layout, failpoint } = context;
  if (!/^[0-9a-f]{64}$/.test(id)) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${JSON.stringify(id)} is no container id: it must be 64 hexadecimal characters` });
  if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,253}$/.test(wanted.name)) throw new AppError({ code: 'ENGINE_CONTAINER_NAME', message: `${JSON.stringify(wanted.name)} is no name of a container`, hint: 'letters, digits, "_", "." and "-", beginning with a letter or digit' });
  const image = await context.rootfs.image(wanted.image);
  if (image === null) throw new AppError({ code: 'ENGINE_IMAGE_MISSING', message: `container ${wanted.name}: the image ${wanted.image} is not on this node`, hint: `pull ${wanted.image} first` });
  commandLine(wanted, image.config);
  const inherited = await heritage(context, wanted, image.config);
  const { spec, state } = withAnonymousVolumes(context, wanted, { image: { id: image.id, config: image.config }, inherited });
  const entry = newEntry(id, spec, state);
  failpoint('create:begin');
  try {
    makeDirQuick(layout.container(id));
    failpoint('create:dir');
    // Only volumes that are named nowhere else are lost to a container without a state.
    if (state.anonymousVolumes.length > 0) writeQuick(layout.state(id), JSON.stringify(state));
    failpoint('create:state');
    writeFresh(layout.spec(id), encodeSpec(spec));
    failpoint('create:spec');
    await makeParts(context, entry, entering.begin);
    // Inherited volumes are its own from here on; a failure before leaves them for the next attempt.
    const used = new Set([...entry.spec.mounts.flatMap((one) => (one.kind === 'volume' ? [one.volumeName] : [])), ...state.imageVolumes.map((one) => one.volumeName)]);
    entry.state = { ...entry.state, phase: 'ready', anonymousVolumes: [...state.anonymousVolumes, ...[...inherited.values()].filter((name) => used.has(name))] };
    writeQuick(layout.state(id), JSON.stringify(entry.state));
    context.disk.keep([layout.spec(id), layout.state(id), layout.container(id), layout.containers]);
    failpoint('create:ready');
    return entry;
  } catch (error) {
    await undo(context, entry, entering.forget);
    throw error;
  }
}

async function makeParts(context: EngineContext, entry: Entry, begin: Entering['begin']): Promise<void> {
  const slot = entry.spec.labels[slotLabel];
  const targets = new Map([...entry.spec.mounts.flatMap((one) => (one.kind === 'volume' ? [{ volumeName: one.volumeName, target: one.target }] : [])), ...entry.state.imageVolumes].map((one) => [one.volumeName, normalizePath(one.target)]));
  for (const name of entry.state.anonymousVolumes) {
    const labels = slot === undefined ? { [anonymousLabel]: '' } : { [anonymousLabel]: '', [slotLabel]: slot, [targetLabel]: targets.get(name) ?? '' };
    await context.volumes.create({ name, driver: 'local', labels, options: {} });
  }
  context.failpoint('create:volumes');
  writeFiles(context, entry, () => true);
  context.failpoint('create:files');
  await begin(entry);
}

async function undo(context: EngineContext, entry: Entry, forget: () => void): Promise<void> {
  const { layout } = context;
  await destroyRun(context, entry.id);
  await context.rootfs.remove(entry.id);
  removeQuick(layout.secrets(entry.id));
  await removeTree(layout.container(entry.id));
  // NOTE: as long as the container is known, it counts as one that mounts its volumes.
  forget();
  for (const name of entry.state.anonymousVolumes) await context.volumes.remove(name).catch((error: unknown) => context.log.warn('engine.undo-volume', { volume: name, error: String(error) }));
}

/**
 * The anonymous volumes that the slot's former container has left, by target: as with Compose, its successor takes them over. What a
 * container still mounts is not free.
 */
async function heritage(context: EngineContext, wanted: ContainerSpec, image: ImageConfig): Promise<ReadonlyMap<string, string>> {
  const slot = wanted.labels[slotLabel];
  const takesAny = image.volumes.length > 0 || wanted.mounts.some((one) => one.kind === 'volume' && one.volumeName === '');
  if (slot === undefined || !takesAny) return new Map();
  const left = (await context.volumes.list()).filter((one) => one.labels[slotLabel] === slot && context.volumes.usersOf(one.name).length === 0).sort((a, b) => a.createdMs - b.createdMs);
  return new Map(left.map((one) => [one.labels[targetLabel] ?? '', one.name]));
}

/** Gives a volume of its own to each mount that names none and to each place that the image declares and nothing covers. */
function withAnonymousVolumes(context: EngineContext, wanted: ContainerSpec, of: { readonly image: StoredState['image']; readonly inherited: ReadonlyMap<string, string> }): { readonly spec: ContainerSpec; readonly state: StoredState } {
  const anonymous: string[] = [];
  const { image, inherited } = of;
  const volumeAt = (target: string): string => inherited.get(normalizePath(target)) ?? fresh();
  const fresh = (): string => {
    const name = randomHexId(context.random);
    anonymous.push(name);
    return name;
  };
  const mounts = wanted.mounts.map((one) => (one.kind === 'volume' && one.volumeName === '' ? { ...one, volumeName: volumeAt(one.target) } : one));
  const covered = new Set(mounts.map((one) => normalizePath(one.target)));
  const places = new Set(image.config.volumes.map(normalizePath));
  const imageVolumes = [...places].filter((target) => !covered.has(target)).map((target) => ({ volumeName: volumeAt(target), target }));
  return {
    spec: { ...wanted, mounts },
    state: { version: 1, phase: 'creating', createdMs: context.clock.nowMs(), image, anonymousVolumes: anonymous, imageVolumes, run: null },
  };
}

/** Writes the content of injected files where the container will find it mounted. */
function writeFiles(context: EngineContext, entry: Entry, isWanted: (file: InjectedFile) => boolean): void {
  const { layout } = context;
  if (entry.spec.files.some((file) => !file.isSecret)) makeDirQuick(layout.files(entry.id));
  if (entry.spec.files.some((file) => file.isSecret)) {
    ensureSecretsInMemory(context);
    makeDirQuick(layout.secrets(entry.id));
  }
  entry.spec.files.forEach((file, index) => {
    if (!isWanted(file)) return;
    const path = file.isSecret ? layout.secret(entry.id, index) : layout.file(entry.id, index);
    writeFresh(path, file.content);
    setOwnerAndMode(path, { uid: file.uid, gid: file.gid }, file.mode);
  });
}

/** Secrets touch no disk: where the run root is not in memory, they get a file system that is. */
function ensureSecretsInMemory(context: EngineContext): void {
  const { secretsRoot } = context.layout;
  if (isOnTmpfs(secretsRoot) || listMounts().some((one) => one.target === secretsRoot)) return;
  mountMemory(secretsRoot, { mode: 0o700, sizeBytesMax: secretsBytesMax });
}

/** After a reboot the caller brings the secrets again, by creating the container that exists. */
export function restoreSecrets(context: EngineContext, entry: Entry, spec: ContainerSpec): void {
  if (entry.missingSecrets.length === 0) return;
  const files = entry.spec.files.map((file) => (file.isSecret ? (spec.files.find((one) => one.isSecret && one.target === file.target) ?? file) : file));
  entry.spec = { ...entry.spec, files };
  writeFiles(context, entry, (file) => file.isSecret);
  entry.missingSecrets = [];
}
