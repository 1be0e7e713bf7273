import { cleanPath } from '../short/volume.ts';

/** Joins two paths by their text alone; an empty part counts for nothing, and two of them for the empty path. */
export function joinPath(base: string, rest: string): string {
  if (base === '' && rest === '') return '';
  if (base === '') return cleanPath(rest);
  return cleanPath(rest === '' ? base : `${base}/${rest}`);
}

export function isAbsolutePath(path: string): boolean {
  return path.startsWith('/');
}

/** A drive with a slash behind it, or a share of a Windows host. */
export function isWindowsAbsolutePath(path: string): boolean {
  return /^[A-Za-z]:[\\/]/.test(path) || /^[\\/]{2}[^\\/]+[\\/][^\\/]/.test(path);
}

export function folderOf(path: string): string {
  const slash = path.lastIndexOf('/');
  return slash < 0 ? '.' : cleanPath(path.slice(0, slash + 1));
}

export function nameOf(path: string): string {
  const clean = cleanPath(path);
  return clean === '/' ? '/' : clean.slice(clean.lastIndexOf('/') + 1);
}

/** The way from one folder to another place; `to` itself where one is relative and the other absolute. */
export function relativePath(from: string, to: string): string {
  const [a, b] = [cleanPath(from), cleanPath(to)];
  if (isAbsolutePath(a) !== isAbsolutePath(b)) return b;
  const parts = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.');
  const [start, end] = [parts(a), parts(b)];
  let common = 0;
  while (common < start.length && start[common] === end[common] && common < end.length) common += 1;
  if (start.slice(common).includes('..')) return b;
  return [...start.slice(common).map(() => '..'), ...end.slice(common)].join('/') || '.';
}

/** `~` at the beginning is the user's home. */
export function expandHome(path: string, home: string | undefined): string {
  return path.startsWith('~') && home !== undefined && home !== '' ? joinPath(home, path.slice(1)) : path;
}
