/** What the unpacking process is to do: read a blob that may still grow, check it, and write its files below `targetDir`. */
export type UnpackJob = {
  readonly blobPath: string;
  readonly digest: string;
  readonly sizeBytes: number;
  readonly diffId: string;
  readonly targetDir: string;
  readonly isRoot: boolean;
};

export type UnpackFacts = { readonly entries: number; readonly unpackedBytes: number };
