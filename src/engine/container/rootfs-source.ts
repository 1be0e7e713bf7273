import type { ImageInfo } from '../../model/container.ts';

/** What containers need of images and snapshots. */
export type RootfsSource = {
  /** By reference or id; null where the node has none. */
  readonly image: (reference: string) => Promise<ImageInfo | null>;
  /** Makes (once) and mounts (again, after a reboot) the container's own writable file system. Answers its path. Idempotent. */
  readonly mount: (containerId: string, imageId: string) => Promise<string>;
  /** Unmounts and removes it; nothing there is no error. */
  readonly remove: (containerId: string) => Promise<void>;
  /** The containers that have one. */
  readonly list: () => Promise<readonly string[]>;
};
