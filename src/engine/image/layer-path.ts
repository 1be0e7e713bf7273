import { AppError } from '../../base/app-error.ts';
import { limits } from '../../base/limits.ts';

const slash = 0x2f;
const componentBytesMax = 255;

/**
 * The components of an archive's path: `/`, `.` and empty parts are dropped, `..` takes back what is before it.
 * Errors: ENGINE_LAYER_INVALID where `..` climbs out, where a part is too long for Linux, or at a NUL.
 */
export function cleanPath(path: Uint8Array): Uint8Array[] {
  if (path.length > limits.layerPathBytesMax) throw bad(path, `is longer than ${limits.layerPathBytesMax} bytes`);
  if (path.includes(0)) throw bad(path, 'holds a NUL byte');
  const parts: Uint8Array[] = [];
  for (let from = 0; from <= path.length; ) {
    const found = path.indexOf(slash, from);
    const to = found < 0 ? path.length : found;
    const part = path.subarray(from, to);
    from = to + 1;
    if (part.length === 0 || (part.length === 1 && part[0] === 0x2e)) continue;
    if (part.length === 2 && part[0] === 0x2e && part[1] === 0x2e) {
      if (parts.pop() === undefined) throw bad(path, 'climbs out of the layer');
      continue;
    }
    if (part.length > componentBytesMax) throw bad(path, `has a part longer than ${componentBytesMax} bytes`);
    parts.push(part);
  }
  return parts;
}

/** The path below the layer's root; `.` for the root itself. */
export function joinPath(parts: readonly Uint8Array[]): Uint8Array {
  const separator = Uint8Array.of(slash);
  return parts.length === 0 ? Uint8Array.of(0x2e) : Buffer.concat(parts.flatMap((part, index) => (index === 0 ? [part] : [separator, part])));
}

/** One text for one path, whatever its bytes. */
export function pathKey(parts: readonly Uint8Array[]): string {
  return Buffer.from(joinPath(parts)).toString('latin1');
}

/** For messages: printable, and never long. */
export function shownPath(path: Uint8Array): string {
  return JSON.stringify(Buffer.from(path.subarray(0, 120)).toString('utf8'));
}

function bad(path: Uint8Array, what: string): AppError {
  return new AppError({ code: 'ENGINE_LAYER_INVALID', message: `the layer is damaged or hostile: the path ${shownPath(path)} ${what}` });
}
