import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

/** A mount of a service in the canonical model's words. */
export type VolumeEntry = {
  readonly type: 'volume' | 'bind';
  readonly source?: string;
  readonly target: string;
  readonly read_only?: true;
  readonly bind?: { readonly propagation?: string; readonly create_host_path?: true; readonly selinux?: string };
  readonly volume?: { readonly nocopy?: true };
};

type Draft = { source: string; target: string; isReadOnly: boolean; nocopy: boolean; propagation: string; selinux: string };

const propagations: readonly string[] = ['rprivate', 'private', 'rshared', 'shared', 'rslave', 'slave'];
const selinuxModes: readonly string[] = ['z', 'Z'];

/**
 * Reads the short syntax `[source:]target[:options]`, Windows drives included; `${…}` left standing is not cut at its colons.
 * A source that begins like a path (`.`, `/`, `~`, a drive, `\\`) is a bind mount, any other a named volume.
 * Unknown options are passed over, as the reference does. The target is left as written: see `cleanPath`.
 */
export function parseVolumeShort(spec: string): Parsed<VolumeEntry> {
  if (spec === '') return refused('invalid empty volume spec');
  if (spec.length <= 2) return parsed({ type: 'volume', target: spec });
  const draft: Draft = { source: '', target: '', isReadOnly: false, nocopy: false, propagation: '', selinux: '' };
  let buffer = '';
  let nesting = 0;
  const chars = Array.from(spec);
  for (let i = 0; i <= chars.length; i += 1) {
    const char = chars[i] ?? '';
    const isEnd = i === chars.length;
    if (char === '$' && chars[i + 1] === '{') nesting += 1;
    else if (char === '}' && nesting > 0) nesting -= 1;
    else if ((char === ':' || isEnd) && nesting === 0 && !isDrive(buffer, char)) {
      const problem = take(draft, buffer, isEnd);
      if (problem !== undefined) return refused(`invalid volume '${spec}': ${problem}`, chars.slice(0, i).join('').length);
      buffer = '';
      continue;
    }
    buffer += char;
  }
  return parsed(entryOf(draft));
}

/** Resolves `.`, `..` and doubled slashes in a POSIX path, by its text alone. */
export function cleanPath(path: string): string {
  if (path === '') return '.';
  const isAbsolute = path.startsWith('/');
  const out: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part !== '..') out.push(part);
    else if (out.length > 0 && out[out.length - 1] !== '..') out.pop();
    else if (!isAbsolute) out.push('..');
  }
  return (isAbsolute ? '/' : '') + out.join('/') || '.';
}

/** True where a mount's source means a place on the host, not a named volume. */
export function isHostPath(source: string): boolean {
  return /^[./~]/.test(source) || source.startsWith('\\\\') || /^\p{L}:/u.test(source);
}

function take(draft: Draft, text: string, isEnd: boolean): string | undefined {
  if (text === '') return 'empty section between colons';
  if (draft.source === '' && isEnd) draft.target = text;
  else if (draft.source === '') draft.source = text;
  else if (draft.target === '') draft.target = text;
  else if (!isEnd) return 'too many colons';
  else for (const option of text.split(',')) applyOption(draft, option);
  return undefined;
}

function applyOption(draft: Draft, option: string): void {
  if (option === 'ro') draft.isReadOnly = true;
  else if (option === 'rw') draft.isReadOnly = false;
  else if (option === 'nocopy') draft.nocopy = true;
  else if (propagations.includes(option)) draft.propagation = option;
  else if (selinuxModes.includes(option)) draft.selinux = option;
}

function entryOf(draft: Draft): VolumeEntry {
  const isBind = isHostPath(draft.source);
  const hasBindOption = draft.propagation !== '' || draft.selinux !== '';
  const bind = {
    ...(draft.propagation === '' ? {} : { propagation: draft.propagation }),
    ...(isBind ? { create_host_path: true as const } : {}),
    ...(draft.selinux === '' ? {} : { selinux: draft.selinux }),
  };
  return {
    type: isBind ? 'bind' : 'volume',
    ...(draft.source === '' ? {} : { source: draft.source }),
    target: draft.target,
    ...(draft.isReadOnly ? { read_only: true as const } : {}),
    ...(isBind || hasBindOption ? { bind } : {}),
    ...(!isBind || draft.nocopy ? { volume: draft.nocopy ? { nocopy: true as const } : {} } : {}),
  };
}

function isDrive(buffer: string, char: string): boolean {
  return char === ':' && /^\p{L}$/u.test(buffer);
}
