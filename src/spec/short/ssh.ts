import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

/** Reads one line of `build.ssh`: `id=path`, or `default` alone for the agent's own socket (path null). */
export function parseSshShort(spec: string): Parsed<{ readonly id: string; readonly path: string | null }> {
  const equals = spec.indexOf('=');
  if (equals >= 0) return parsed({ id: spec.slice(0, equals), path: spec.slice(equals + 1) });
  return spec === 'default' ? parsed({ id: spec, path: null }) : refused(`invalid ssh key '${spec}': write id=path, or default`);
}
