import { bytesFromBase64 } from '../../base/base64.ts';
import type { AssignedTask } from '../../model/assignment.ts';
import type { ContainerMount, InjectedFile } from '../../model/container-spec.ts';
import type { DataObject } from '../../model/objects.ts';
import type { FileReference, Mount, Service } from '../../model/project.ts';

/** Mounts sorted as the file has them; an anonymous volume has the empty name, and the engine gives it one of its own. */
export function lowerMounts(assigned: AssignedTask, spec: Service, volumeName: (volumeId: string) => string | null): ContainerMount[] {
  return [...(spec.volumes ?? []).flatMap((mount) => lowerMount(assigned, mount, volumeName)), ...(spec.tmpfs ?? []).map(lowerTmpfs)];
}

function lowerMount(assigned: AssignedTask, mount: Mount, volumeName: (volumeId: string) => string | null): ContainerMount[] {
  const target = mount.target ?? '';
  const readOnly = mount.read_only ?? false;
  switch (mount.type) {
    case 'bind':
      return [{
        kind: 'bind', source: mount.source ?? '', target, readOnly, propagation: mount.bind?.propagation ?? 'rprivate',
        createHostPath: mount.bind?.create_host_path ?? true, isRecursive: mount.bind?.recursive !== 'disabled',
        ...(mount.bind?.recursive === 'writable' ? { submounts: 'writable' } : mount.bind?.recursive === 'readonly' ? { submounts: 'read-only' } : {}),
      }];
    case 'volume': {
      const id = mount.source === undefined ? undefined : assigned.refs?.volumes[mount.source];
      const name = id === undefined ? '' : (volumeName(id) ?? '');
      return [{ kind: 'volume', volumeName: name, target, readOnly, noCopy: mount.volume?.nocopy ?? false, subpath: mount.volume?.subpath ?? null }];
    }
    case 'tmpfs':
      return [{
        kind: 'tmpfs', target, sizeBytes: mount.tmpfs?.size === undefined || mount.tmpfs.size === '0' ? null : Number(mount.tmpfs.size),
        mode: mount.tmpfs?.mode === undefined || mount.tmpfs.mode === 0 ? null : mount.tmpfs.mode, options: readOnly ? ['ro'] : [],
      }];
    case 'cluster':
    case 'npipe':
    case 'image':
      // Refused before a task is made: see lower/refuse.ts.
      return [];
  }
}

/** `/run` or `/run:size=64m,mode=1777,uid=1000`. */
function lowerTmpfs(text: string): ContainerMount {
  const cut = text.indexOf(':');
  const target = cut < 0 ? text : text.slice(0, cut);
  return { kind: 'tmpfs', target, sizeBytes: null, mode: null, options: cut < 0 ? [] : text.slice(cut + 1).split(',').filter((one) => one !== '') };
}

/** Secrets below /run/secrets on memory, configs at their target: owned and moded as the file says. */
export function lowerFiles(assigned: AssignedTask, spec: Service): InjectedFile[] {
  return [
    ...(spec.secrets ?? []).flatMap((use) => lowerFile(use, { objects: assigned.secrets, ids: assigned.refs?.secrets ?? {}, folder: '/run/secrets/', isSecret: true })),
    ...(spec.configs ?? []).flatMap((use) => lowerFile(use, { objects: assigned.configs, ids: assigned.refs?.configs ?? {}, folder: '/', isSecret: false })),
  ];
}

type FileKind = { readonly objects: readonly DataObject<'secret' | 'config'>[]; readonly ids: Readonly<Record<string, string>>; readonly folder: string; readonly isSecret: boolean };

function lowerFile(use: FileReference, kind: FileKind): InjectedFile[] {
  const source = use.source ?? '';
  const object = kind.objects.find((one) => one.id === kind.ids[source]);
  if (object === undefined) return [];
  const named = use.target ?? source;
  return [{
    target: named.startsWith('/') ? named : `${kind.folder}${named}`,
    content: bytesFromBase64(object.dataBase64),
    uid: Number(use.uid ?? 0),
    gid: Number(use.gid ?? 0),
    mode: use.mode === undefined ? 0o444 : Number.parseInt(use.mode, 8),
    isSecret: kind.isSecret,
    readOnly: true,
  }];
}
