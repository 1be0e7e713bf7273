import type { LoadInput, LoadResult, Provided } from '../../src/spec/input.ts';
import { load } from '../../src/spec/load.ts';

export const folder = '/app';

/** Loads from files held in memory, as a host would from a disk: what is asked for is given, until nothing is missing. */
export function loadFiles(files: Readonly<Record<string, string | Uint8Array>>, options: Partial<LoadInput> = {}): LoadResult {
  const provided = new Map<string, Provided>();
  const links = new Map<string, string>();
  for (let round = 0; round < 100; round += 1) {
    const result = load({ files: [`${folder}/${Object.keys(files)[0] ?? ''}`], workingDir: folder, environment: new Map([['HOME', '/home/app']]), home: '/home/app', ...options, provided, links });
    if (result.kind !== 'need') return result;
    for (const need of result.needs) {
      if (need.kind === 'link') links.set(need.path, need.path);
      else provided.set(need.path, answer(files, need.path));
    }
  }
  throw new Error('the loader asks without end');
}

function answer(files: Readonly<Record<string, string | Uint8Array>>, path: string): Provided {
  const name = path.startsWith(`${folder}/`) ? path.slice(folder.length + 1) : path;
  const content = Object.hasOwn(files, name) ? files[name] : undefined;
  if (content !== undefined) return { kind: 'file', content };
  return Object.keys(files).some((one) => one.startsWith(`${name}/`)) || path === folder ? { kind: 'directory' } : { kind: 'missing' };
}
