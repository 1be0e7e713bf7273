import { createHash } from 'node:crypto';
import { lstat, readdir, readFile, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';

export type Owner = { readonly uid: number; readonly gid: number };
export type Layer = { readonly blob: Buffer; readonly digest: string; readonly diffId: string };

/** Every time in the images: the same input gives the same digest, whenever it is made. */
export const imageEpochSeconds = 1_735_689_600;

export function sha256(bytes: Uint8Array): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/**
 * A layer of what is in `root`: names sorted, one time for all, owners by `ownerOf`, hard links kept.
 * `modes` names the few whose mode is not what is on disk (the sticky bit of /tmp).
 */
export async function layerOf(root: string, ownerOf: (path: string) => Owner, modes: Readonly<Record<string, number>> = {}): Promise<Layer> {
  const parts: Buffer[] = [];
  const linked = new Map<number, string>();
  const add = async (path: string): Promise<void> => {
    const full = join(root, path);
    const facts = await lstat(full);
    const base = { path, mode: modes[path] ?? facts.mode & 0o7777, ...ownerOf(path) };
    if (facts.isSymbolicLink()) parts.push(...entry({ ...base, type: '2', link: await readlink(full), mode: 0o777 }));
    else if (facts.isDirectory()) {
      parts.push(...entry({ ...base, type: '5', path: `${path}/` }));
      for (const name of (await readdir(full)).sort()) await add(`${path}/${name}`);
    } else if (facts.isFile()) {
      const first = linked.get(facts.ino);
      if (facts.nlink > 1 && first !== undefined) parts.push(...entry({ ...base, type: '1', link: first }));
      else {
        linked.set(facts.ino, path);
        parts.push(...entry({ ...base, type: '0', content: await readFile(full) }));
      }
    }
  };
  for (const name of (await readdir(root)).sort()) await add(name);
  parts.push(Buffer.alloc(1024));
  const tar = Buffer.concat(parts);
  const blob = await promisify(gzip)(tar, { level: 6 });
  return { blob, digest: sha256(blob), diffId: sha256(tar) };
}

type Entry = Owner & { readonly path: string; readonly type: string; readonly mode: number; readonly link?: string; readonly content?: Buffer };

function entry(one: Entry): Buffer[] {
  const long = [
    ...(Buffer.byteLength(one.path) > 100 ? [paxRecord('path', one.path)] : []),
    ...(Buffer.byteLength(one.link ?? '') > 100 ? [paxRecord('linkpath', one.link ?? '')] : []),
  ];
  const parts: Buffer[] = [];
  if (long.length > 0) {
    const body = Buffer.from(long.join(''));
    parts.push(header({ path: 'pax', type: 'x', mode: 0o644, uid: 0, gid: 0 }, body.length), padded(body));
  }
  parts.push(header(one, one.content?.length ?? 0));
  if (one.content !== undefined) parts.push(padded(one.content));
  return parts;
}

function paxRecord(key: string, value: string): string {
  const rest = ` ${key}=${value}\n`;
  let length = Buffer.byteLength(rest) + 1;
  while (String(length).length + Buffer.byteLength(rest) !== length) length += 1;
  return `${length}${rest}`;
}

function header(one: Entry, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  block.write(one.path, 0, 100, 'utf8');
  octal(one.mode, 100, 8);
  octal(one.uid, 108, 8);
  octal(one.gid, 116, 8);
  octal(size, 124, 12);
  octal(imageEpochSeconds, 136, 12);
  block.write('        ', 148, 'latin1');
  block.write(one.type, 156, 'latin1');
  block.write(one.link ?? '', 157, 100, 'utf8');
  block.write('ustar\x0000', 257, 'latin1');
  block.write(`${block.reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(content: Buffer): Buffer {
  const rest = content.length % 512;
  return rest === 0 ? content : Buffer.concat([content, Buffer.alloc(512 - rest)]);
}
