import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { makeDirQuick, readBytesQuick, writeQuick } from '../../../os/quick-files.ts';
import type { OciSeccomp } from '../oci-types.ts';

/**
 * Filters that crun has compiled, by what they were compiled from: the compilation costs 10 ms of processor for each container,
 * and most containers have the same. crun leaves its result in its state directory and takes one by annotation.
 * Below the run root, which only root may write: what lies there is as trusted as the runtime's own state.
 */
export type FilterCache = { readonly find: (seccomp: OciSeccomp) => string | null; readonly keep: (seccomp: OciSeccomp, stateDir: string) => void };

/** The annotation, in base64. Source: crun.1, "run.oci.seccomp_bpf_data". */
export const filterAnnotation = 'run.oci.seccomp_bpf_data';

const instructionBytes = 8;

export function filterCache(dir: string, runtimeVersion: string): FilterCache {
  const known = new Map<string, string>();
  /** Most containers share one value; its text has 12 KB. */
  const keys = new WeakMap<OciSeccomp, string>();
  const keyOf = (seccomp: OciSeccomp): string => {
    const key = keys.get(seccomp) ?? createHash('sha256').update(JSON.stringify([runtimeVersion, process.arch, seccomp])).digest('hex');
    keys.set(seccomp, key);
    return key;
  };
  const remember = (key: string, bytes: Uint8Array | null): string | null => {
    if (bytes === null || bytes.length === 0 || bytes.length % instructionBytes !== 0) return null;
    const text = Buffer.from(bytes).toString('base64');
    known.set(key, text);
    return text;
  };
  return {
    find: (seccomp) => {
      const key = keyOf(seccomp);
      return known.get(key) ?? remember(key, readBytesQuick(join(dir, key)));
    },
    keep: (seccomp, stateDir) => {
      const key = keyOf(seccomp);
      if (known.has(key)) return;
      const bytes = readBytesQuick(join(stateDir, 'seccomp.bpf'));
      if (remember(key, bytes) === null || bytes === null) return;
      makeDirQuick(dir);
      writeQuick(join(dir, key), bytes);
    },
  };
}
