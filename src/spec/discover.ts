import { folderOf } from './paths/posix.ts';

/** Names that a compose file may have where none is named, the preferred first. */
export const fileNames: readonly string[] = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
/** Names of a file that is laid over it. */
export const overrideNames: readonly string[] = ['compose.override.yml', 'compose.override.yaml', 'docker-compose.override.yml', 'docker-compose.override.yaml'];

/** The folders to look in: this one and its parents, to the root. */
export function foldersUpwards(folder: string): string[] {
  const folders: string[] = [];
  for (let at = folder; ; at = folderOf(at)) {
    folders.push(at);
    if (folderOf(at) === at || folders.length > 4096) return folders;
  }
}

export type Discovered = { readonly files: readonly string[]; readonly passedOver: readonly string[] };

/** Chooses among the files of one folder: the compose file and its override; undefined where there is none. */
export function chooseFiles(folder: string, names: ReadonlySet<string>): Discovered | undefined {
  const prefix = folder.endsWith('/') ? folder : `${folder}/`;
  const main = fileNames.filter((name) => names.has(name));
  const overrides = overrideNames.filter((name) => names.has(name));
  const [first] = main;
  if (first === undefined) return undefined;
  return { files: [first, ...overrides.slice(0, 1)].map((name) => prefix + name), passedOver: [...main.slice(1), ...overrides.slice(1)].map((name) => prefix + name) };
}
