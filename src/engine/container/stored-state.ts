import type { ImageConfig } from '../../model/container.ts';

/** state.json, version 1: where a container stands, written whole at every change. */
export type StoredState = {
  readonly version: 1;
  /** `creating`: removed at the next open. `ready`: complete. `removing`: its removal is finished at the next open. */
  readonly phase: 'creating' | 'ready' | 'removing';
  readonly createdMs: number;
  readonly image: { readonly id: string; readonly config: ImageConfig };
  readonly anonymousVolumes: readonly string[];
  /** Image volumes and the anonymous volume each got. */
  readonly imageVolumes: readonly { readonly volumeName: string; readonly target: string }[];
  readonly run: StoredRun | null;
};

/** The last run. `wanted` is set before the process is let go: from then on it may have run. */
export type StoredRun = {
  readonly bootId: string;
  readonly wanted: boolean;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly pid: number;
  readonly startTicks: number;
};

/** null where the text is damaged: the container's directory is then treated as half made. */
export function parseState(text: string): StoredState | null {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  return isState(value) ? value : null;
}

function isState(value: unknown): value is StoredState {
  if (typeof value !== 'object' || value === null) return false;
  const has = (key: string, test: (one: unknown) => boolean): boolean => key in value && test(Reflect.get(value, key));
  return (
    has('version', (one) => one === 1) &&
    has('phase', (one) => one === 'creating' || one === 'ready' || one === 'removing') &&
    has('createdMs', (one) => typeof one === 'number') &&
    has('image', (one) => typeof one === 'object' && one !== null) &&
    has('anonymousVolumes', Array.isArray) &&
    has('imageVolumes', Array.isArray) &&
    has('run', (one) => typeof one === 'object')
  );
}
