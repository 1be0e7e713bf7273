import { AppError } from '../../base/app-error.ts';
import { parseAnyReference, parseImageName, referenceName, referenceText } from '../../base/image-reference.ts';
import type { ImageIndexState, ImageRecord } from './image-index.ts';

export type Removal = { readonly image: ImageRecord; /** Canonical names that go: tags and digests. */ readonly untagged: readonly string[]; readonly deletes: boolean };

/**
 * What a removal takes away. By name, only that name, and the image with its last one. By id, all its names if they are of one
 * repository, or with `force`. A container keeps its image: with `force` it loses its names and stays.
 * Errors: ENGINE_IMAGE_IN_USE.
 */
export function planRemoval(state: ImageIndexState, image: ImageRecord, text: string, options: { readonly force: boolean; readonly users: readonly string[] }): Removal {
  const tags = [...state.references].flatMap(([reference, id]) => (id === image.id ? [reference] : [])).sort();
  const named = nameOf(text);
  const untagged = named !== null && tags.includes(named) ? [named] : tags;
  const isLast = untagged.length === tags.length;
  if (named === null || !tags.includes(named)) {
    const repositories = new Set(tags.map(repositoryOf));
    if (repositories.size > 1 && !options.force) throw new AppError({ code: 'ENGINE_IMAGE_IN_USE', message: `the image ${text} has names in ${repositories.size} repositories: ${tags.join(', ')}`, hint: 'remove it by these names, or with --force' });
  }
  if (!isLast) return { image, untagged, deletes: false };
  if (options.users.length === 0) return { image, untagged: [...untagged, ...image.repoDigests], deletes: true };
  if (!options.force) {
    throw new AppError({ code: 'ENGINE_IMAGE_IN_USE', message: `the image ${text} is used by ${options.users.slice(0, 5).join(', ')}${options.users.length > 5 ? ` and ${options.users.length - 5} more` : ''}`, hint: 'remove these containers first' });
  }
  return { image, untagged, deletes: false };
}

function nameOf(text: string): string | null {
  const name = parseAnyReference(text);
  return name.ok && 'path' in name.value ? referenceText(name.value.digest === undefined ? { ...name.value, tag: name.value.tag ?? 'latest' } : name.value) : null;
}

function repositoryOf(reference: string): string {
  const name = parseImageName(reference);
  return name.ok ? referenceName(name.value) : reference;
}
