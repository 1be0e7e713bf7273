import { isDict } from './source/values.ts';
import type { Dict } from './source/values.ts';

/** Forgets in an earlier model what a later file tagged `!reset` or `!override`. In place. */
export function applyResets(model: Dict, resets: readonly (readonly string[])[]): void {
  for (const path of resets) forget(model, path, 0);
}

function forget(at: Dict, path: readonly string[], depth: number): void {
  const part = path[depth];
  if (part === undefined) return;
  for (const key of part === '*' ? Object.keys(at) : [part]) {
    if (!(key in at)) continue;
    const child = at[key];
    if (depth === path.length - 1) delete at[key];
    else if (isDict(child)) forget(child, path, depth + 1);
  }
}
