import { parsed, refused } from '../base/parsed.ts';
import type { Parsed } from '../base/parsed.ts';
import { sha256Hex } from '../base/sha256.ts';

export type RemoteResource =
  | { readonly kind: 'git'; readonly repository: string; readonly ref: string; readonly folder: string; readonly cachePath: string }
  | { readonly kind: 'oci'; readonly reference: string; readonly cachePath: string };

/** True for a compose file that is not on this host: a Git repository or an OCI artifact. */
export function isRemoteResource(path: string): boolean {
  return path.startsWith('oci://') || isGitResource(path);
}

/** True for a build context that a builder fetches itself. Source: moby/buildkit (prefixes). */
export function isRemoteContext(context: string): boolean {
  return ['https://', 'http://', 'git://', 'ssh://', 'github.com/', 'git@'].some((prefix) => context.startsWith(prefix));
}

/**
 * Reads where a remote compose file is, and where its copy belongs below a cache folder.
 * The cache path is made of a digest and checked segments: a `..` in the input is refused, so it never leaves the folder.
 */
export function parseRemoteResource(path: string): Parsed<RemoteResource> {
  if (path.startsWith('oci://')) {
    const reference = path.slice('oci://'.length);
    if (reference === '' || /[\s\\]/.test(reference) || reference.split(/[/:@]/).includes('..')) return refused(`'${path}' is not the name of an OCI artifact`);
    return parsed({ kind: 'oci', reference, cachePath: `oci/${sha256Hex(reference)}` });
  }
  if (!isGitResource(path)) return refused(`'${path}' is neither a Git nor an OCI resource`);
  const hash = path.indexOf('#');
  const repository = hash < 0 ? path : path.slice(0, hash);
  const fragment = hash < 0 ? '' : path.slice(hash + 1);
  const colon = fragment.indexOf(':');
  const ref = colon < 0 ? fragment : fragment.slice(0, colon);
  const folder = colon < 0 ? '' : fragment.slice(colon + 1);
  const segments = folder.split('/').filter((part) => part !== '' && part !== '.');
  if (segments.includes('..') || folder.includes('\\') || folder.includes('\0')) return refused(`the folder of '${path}' leaves the repository`);
  if (ref.startsWith('-') || /[\s\0]/.test(ref)) return refused(`'${ref}' is not the name of a Git reference`);
  return parsed({ kind: 'git', repository, ref, folder: segments.join('/'), cachePath: ['git', sha256Hex(`${repository}#${ref}`), ...segments].join('/') });
}

function isGitResource(path: string): boolean {
  if (/^(?:git@|git:\/\/|ssh:\/\/|github\.com\/)/.test(path)) return true;
  if (!/^https?:\/\//.test(path)) return false;
  const repository = path.split('#')[0] ?? path;
  return repository.endsWith('.git') || repository.includes('.git?');
}
