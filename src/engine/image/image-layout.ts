import { join } from 'node:path';

/** Where the images of a node lie. Digests are `sha256:…`; their hexadecimal part names files. */
export type ImageLayout = {
  readonly root: string;
  readonly indexFile: string;
  readonly blobs: string;
  /** Downloads that are not whole yet, by digest: they go on where they ended. */
  readonly ingest: string;
  /** Unpacked layers by diff id. A directory here is whole, checked and durable. */
  readonly layers: string;
  readonly staging: string;
  readonly trash: string;
  readonly blob: (digest: string) => string;
  readonly partial: (digest: string) => string;
  readonly layer: (diffId: string) => string;
  /** The files of a layer. */
  readonly layerFiles: (diffId: string) => string;
};

export function imageLayout(root: string): ImageLayout {
  const hex = (digest: string): string => digest.slice('sha256:'.length);
  const layers = join(root, 'layers');
  return {
    root,
    indexFile: join(root, 'images.json'),
    blobs: join(root, 'blobs'),
    ingest: join(root, 'ingest'),
    layers,
    staging: join(root, 'staging'),
    trash: join(root, 'trash'),
    blob: (digest) => join(root, 'blobs', hex(digest)),
    partial: (digest) => join(root, 'ingest', hex(digest)),
    layer: (diffId) => join(layers, hex(diffId)),
    layerFiles: (diffId) => join(layers, hex(diffId), 'files'),
  };
}
