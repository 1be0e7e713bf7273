import type { ContainerSpec, InjectedFile } from '../../model/container-spec.ts';

/** Reads the content of an injected file that is kept beside the document; null where it is gone. */
export type ContentReader = (file: { readonly index: number; readonly isSecret: boolean }) => Uint8Array | null;

/** spec.json: the spec with the content of its files left out (they lie beside it; those of secrets in memory only). */
export function encodeSpec(spec: ContainerSpec): string {
  return JSON.stringify({ version: 1, spec: { ...spec, files: spec.files.map((file) => ({ ...file, content: null })) } });
}

/**
 * null where the text is damaged. A secret whose content is gone comes back empty and is named in `missing`.
 * NOTE: the document is the engine's own, written whole; its shape is checked by version, its integrity by parsing.
 */
export function decodeSpec(text: string, read: ContentReader): { readonly spec: ContainerSpec; readonly missing: readonly string[] } | null {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return null;
  }
  if (!isDocument(document)) return null;
  const missing: string[] = [];
  const files = document.spec.files.map((file, index): InjectedFile => {
    const content = read({ index, isSecret: file.isSecret });
    if (content === null) missing.push(file.target);
    return { ...file, content: content ?? new Uint8Array(0) };
  });
  return { spec: { ...document.spec, files }, missing };
}

function isDocument(value: unknown): value is { readonly spec: ContainerSpec } {
  if (typeof value !== 'object' || value === null || !('version' in value) || value.version !== 1 || !('spec' in value)) return false;
  const spec = value.spec;
  return typeof spec === 'object' && spec !== null && 'name' in spec && 'files' in spec && Array.isArray(spec.files);
}
