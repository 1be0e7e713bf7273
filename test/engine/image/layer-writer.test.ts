import { mkdirSync, mkdtempSync, lstatSync, readdirSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { env, geteuid } from 'node:process';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { LayerWriter } from '../../../src/engine/image/layer-writer.ts';
import { TarReader } from '../../../src/engine/image/tar-reader.ts';
import { getXattr } from '../../../src/os/fd-ops.ts';
import { makeTar } from './tar-maker.ts';
import type { MadeEntry } from './tar-maker.ts';
import { fc } from '../../property.ts';

const isRoot = geteuid?.() === 0;
const why = isRoot ? '' : ' (left out: owners and devices need root)';

let dir = '';
let layer = '';
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-layer-'));
  layer = join(dir, 'deep', 'er', 'layer');
  mkdirSync(layer, { recursive: true });
  mkdirSync(join(dir, 'outside'));
  writeFileSync(join(dir, 'outside', 'canary'), 'untouched', { mode: 0o640 });
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

/** Unpacks; answers the code of the refusal, or null. */
function unpack(entries: readonly MadeEntry[], into: string = layer): string | null {
  const writer = new LayerWriter(into, { isRoot });
  try {
    const reader = new TarReader({ entry: (entry) => writer.entry(entry), data: (chunk) => writer.data(chunk), entryEnd: () => writer.entryEnd() });
    reader.push(makeTar(entries));
    reader.end();
    writer.finish();
    return null;
  } catch (error) {
    if (error instanceof Error && 'code' in error && typeof error.code === 'string') return error.code;
    throw error;
  } finally {
    writer.close();
  }
}

/** Everything about what lies outside the layer that an escape could change. */
function outside(): unknown {
  const facts = statSync(join(dir, 'outside', 'canary'));
  return [readFileSync(join(dir, 'outside', 'canary'), 'utf8'), facts.nlink, facts.mode, facts.uid, facts.mtimeMs, facts.ino, readdirSync(dir).sort(), readdirSync(join(dir, 'outside')), readdirSync(join(dir, 'deep')), readdirSync(join(dir, 'deep', 'er'))];
}

const tree = (at: string = layer, below: string = ''): string[] =>
  readdirSync(at, { withFileTypes: true })
    .flatMap((one) => [`${below}${one.name}`, ...(one.isDirectory() ? tree(join(at, one.name), `${below}${one.name}/`) : [])])
    .sort();

describe('an honest layer', () => {
  test('files, directories, links, modes and times arrive as they are', () => {
    expect(unpack([
      { name: './', type: '5', mode: 0o711 },
      { name: 'usr/', type: '5', mode: 0o755, mtime: 1000 },
      { name: 'usr/tool', content: 'x'.repeat(3000), mode: 0o4755, mtime: 2000 },
      { name: 'usr/same', type: '1', link: 'usr/tool' },
      { name: 'bin', type: '2', link: 'usr', mtime: 3000 },
      { name: 'bin/through', content: 'by the link' },
      { name: 'no/parents/here', content: '' },
      { name: 'pipe', type: '6', mode: 0o600 },
    ])).toBe(null);
    expect(tree()).toEqual(['bin', 'no', 'no/parents', 'no/parents/here', 'pipe', 'usr', 'usr/same', 'usr/through', 'usr/tool']);
    const tool = statSync(join(layer, 'usr', 'tool'));
    expect([tool.mode & 0o7777, tool.size, tool.mtimeMs, tool.nlink, statSync(join(layer, 'usr')).mtimeMs, statSync(layer).mode & 0o7777]).toEqual([0o4755, 3000, 2_000_000, 2, 1_000_000, 0o711]);
    expect([readlinkSync(join(layer, 'bin')), lstatSync(join(layer, 'bin')).mtimeMs, statSync(join(layer, 'no', 'parents')).mode & 0o7777]).toEqual(['usr', 3_000_000, 0o755]);
  });

  test('the last of several entries of one name counts; a directory keeps what is in it', () => {
    expect(unpack([
      { name: 'd/', type: '5', mode: 0o700 },
      { name: 'd/kept', content: 'k' },
      { name: 'd/', type: '5', mode: 0o755 },
      { name: 'f', content: 'old' },
      { name: 'f', content: 'new' },
      { name: 'swap', content: 'file' },
      { name: 'swap/', type: '5' },
      { name: 'swap/inside', content: '' },
      { name: 'gone/deep/file', content: '' },
      { name: 'gone', content: 'now a file' },
    ])).toBe(null);
    expect([tree(), readFileSync(join(layer, 'f'), 'utf8'), statSync(join(layer, 'd')).mode & 0o7777]).toEqual([['d', 'd/kept', 'f', 'gone', 'swap', 'swap/inside'], 'new', 0o755]);
  });

  test('a whiteout becomes a device 0/0, and an opaque directory an attribute', () => {
    expect(unpack([{ name: 'etc/.wh.passwd' }, { name: 'var/.wh..wh..opq' }, { name: '.wh..wh.plnk/x', content: '' }])).toBe(null);
    const node = lstatSync(join(layer, 'etc', 'passwd'));
    expect([node.isCharacterDevice(), node.rdev, tree()]).toEqual([true, 0, ['etc', 'etc/passwd', 'var']]);
    expect(Buffer.from(getXattr(join(layer, 'var'), isRoot ? 'trusted.overlay.opaque' : 'user.overlay.opaque') ?? []).toString()).toBe('y');
  });

  test('a whiteout hides the lower layers only: what this layer has under the name stays', () => {
    expect(unpack([
      { name: 'first/', type: '5' },
      { name: 'first/kept', content: '' },
      { name: '.wh.first' },
      { name: '.wh.second' },
      { name: 'second/', type: '5' },
      { name: 'second/new', content: '' },
      { name: 'file', content: 'kept' },
      { name: '.wh.file' },
    ])).toBe(null);
    const opaque = (name: string): string => Buffer.from(getXattr(join(layer, name), isRoot ? 'trusted.overlay.opaque' : 'user.overlay.opaque') ?? []).toString();
    expect([tree(), opaque('first'), opaque('second'), readFileSync(join(layer, 'file'), 'utf8')]).toEqual([['file', 'first', 'first/kept', 'second', 'second/new'], 'y', 'y', 'kept']);
  });

  test('attributes of users are kept, those that steer overlayfs or the host are dropped', () => {
    const y = 'y';
    expect(unpack([{ name: 'f', content: '', pax: { 'SCHILY.xattr.user.note': Uint8Array.from([0, 255]), 'SCHILY.xattr.trusted.overlay.redirect': '/etc', 'SCHILY.xattr.user.overlay.opaque': y, 'SCHILY.xattr.security.selinux': y, 'SCHILY.xattr.trusted.overlay.opaque': y } }])).toBe(null);
    expect(['user.note', 'trusted.overlay.redirect', 'user.overlay.opaque', 'security.selinux', 'trusted.overlay.opaque'].map((name) => getXattr(join(layer, 'f'), name)?.length ?? null)).toEqual([2, null, null, null, null]);
  });

  test.skipIf(!isRoot)(`owners, capabilities and devices are set${why}`, () => {
    const capability = Uint8Array.from([1, 0, 0, 2, 0, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(unpack([
      { name: 'shared/', type: '5', mode: 0o2775, uid: 5, gid: 6 },
      { name: 'shared/mine', content: 'x', uid: 0, gid: 0 },
      { name: 'ping', content: 'x', mode: 0o4755, uid: 7, gid: 8, pax: { 'SCHILY.xattr.security.capability': capability } },
      { name: 'link', type: '2', link: 'ping', uid: 9, gid: 10 },
      { name: 'null', type: '3', device: [1, 3], mode: 0o666 },
    ])).toBe(null);
    const owner = (name: string): readonly number[] => [lstatSync(join(layer, name)).uid, lstatSync(join(layer, name)).gid];
    expect([owner('shared'), owner('shared/mine'), owner('ping'), owner('link')]).toEqual([[5, 6], [0, 0], [7, 8], [9, 10]]);
    expect([statSync(join(layer, 'ping')).mode & 0o7777, getXattr(join(layer, 'ping'), 'security.capability')?.length, lstatSync(join(layer, 'null')).rdev, lstatSync(join(layer, 'null')).mode & 0o7777]).toEqual([0o4755, 20, 0x103, 0o666]);
  });
});

/** Classes I1, I2, I3, I5 of the security anchors. `kept`: contained, not refused. */
describe('a hostile layer changes nothing outside', () => {
  const up = '../../../outside';
  const cases: readonly (readonly [string, readonly MadeEntry[], 'refused' | 'kept'])[] = [
    ['a name that climbs', [{ name: `${up}/canary`, content: 'evil' }], 'refused'],
    ['a name that climbs after going down', [{ name: `a/b/../../${up}/canary`, content: 'evil' }], 'refused'],
    ['an absolute name', [{ name: '/outside/canary', content: 'evil' }], 'kept'],
    ['a name of dots and slashes', [{ name: './/.///x', content: 'y' }], 'kept'],
    ['a symlink up, then a file through it', [{ name: 'l', type: '2', link: up }, { name: 'l/canary', content: 'evil' }], 'refused'],
    ['an absolute symlink, then a file through it', [{ name: 'l', type: '2', link: '/' }, { name: 'l/evil', content: 'evil' }], 'kept'],
    ['a chain of symlinks', [{ name: 'a', type: '2', link: 'b' }, { name: 'b', type: '2', link: up }, { name: 'a/canary', content: 'evil' }], 'refused'],
    ['a loop of symlinks', [{ name: 'a', type: '2', link: 'b' }, { name: 'b', type: '2', link: 'a' }, { name: 'a/x', content: '' }], 'refused'],
    ['a file over a symlink replaces it', [{ name: 'l', type: '2', link: `${up}/canary` }, { name: 'l', content: 'evil' }], 'kept'],
    ['a directory over a symlink replaces it', [{ name: 'l', type: '2', link: up }, { name: 'l/', type: '5', mode: 0o777 }, { name: 'l/canary', content: 'x' }], 'kept'],
    ['a directory entry through a symlink', [{ name: 'l', type: '2', link: up }, { name: 'l/new/', type: '5' }], 'refused'],
    ['a hard link out by climbing', [{ name: 'h', type: '1', link: `${up}/canary` }], 'refused'],
    ['a hard link out by an absolute name', [{ name: 'h', type: '1', link: '/outside/canary' }], 'refused'],
    ['a hard link through a symlink', [{ name: 'l', type: '2', link: up }, { name: 'h', type: '1', link: 'l/canary' }], 'refused'],
    ['two symlinks and a hard link', [{ name: 'a', type: '2', link: '.' }, { name: 'b', type: '2', link: `a/${up}` }, { name: 'h', type: '1', link: 'b/canary' }, { name: 'h', content: 'evil' }], 'refused'],
    ['a hard link to a symlink, then written', [{ name: 'l', type: '2', link: `${up}/canary` }, { name: 'h', type: '1', link: 'l' }, { name: 'h', content: 'evil' }], 'kept'],
    ['a hard link to itself', [{ name: 'h', content: '' }, { name: 'h', type: '1', link: './h' }], 'refused'],
    ['a hard link to a directory', [{ name: 'd/', type: '5' }, { name: 'h', type: '1', link: 'd' }], 'refused'],
    ['a hard link to the root', [{ name: 'h', type: '1', link: '/' }], 'refused'],
    ['a whiteout through a symlink', [{ name: 'l', type: '2', link: up }, { name: 'l/.wh.canary' }], 'refused'],
    ['a whiteout of the directory above', [{ name: 'd/.wh...' }], 'refused'],
    ['a whiteout without a name', [{ name: 'd/.wh.' }], 'refused'],
    ['an opaque mark through a symlink', [{ name: 'l', type: '2', link: up }, { name: 'l/.wh..wh..opq' }], 'refused'],
    ['a symlink in place of the root', [{ name: './', type: '2', link: up }], 'refused'],
    ['a file in place of the root', [{ name: '/', content: 'x' }], 'refused'],
    ['a parent that is a file', [{ name: 'f', content: '' }, { name: 'f/x', content: '' }], 'refused'],
    ['a parent that is a device', [{ name: 'f', type: '6' }, { name: 'f/x', content: '' }], 'refused'],
    ['a dangling symlink as parent', [{ name: 'l', type: '2', link: 'nowhere' }, { name: 'l/x', content: '' }], 'refused'],
    ['a symlink to the process file system', [{ name: 'l', type: '2', link: '/proc/self/root/etc' }, { name: 'l/evil', content: '' }], 'refused'],
    ['a part of 256 bytes', [{ name: 'x', pax: { path: 'n'.repeat(256) }, content: '' }], 'refused'],
    ['a part of 255 bytes', [{ name: 'x', pax: { path: 'n'.repeat(255) }, content: '' }], 'kept'],
    ['a name of 4096 bytes', [{ name: 'x', pax: { path: 'd/'.repeat(2048) }, content: '' }], 'refused'],
    ['a name 1500 deep', [{ name: 'x', pax: { path: `${'d/'.repeat(1500)}f` }, content: 'deep' }], 'kept'],
    ['an empty name', [{ name: '', content: 'x' }], 'refused'],
    ['an empty symlink', [{ name: 'l', type: '2', link: '' }], 'refused'],
    ['a deep tree replaced by a file', [{ name: 'x', pax: { path: `${'d/'.repeat(1500)}f` }, content: 'deep' }, { name: 'd', content: 'flat' }], 'kept'],
    ['a mode set through a symlink', [{ name: 'l', type: '2', link: `${up}/canary`, mode: 0o777 }, { name: 'l', type: '1', link: 'l', mode: 0o777 }], 'refused'],
  ];
  test.for(cases)('%s', ([, entries, outcome]) => {
    const before = outside();
    expect(unpack(entries)).toBe(outcome === 'kept' ? null : 'ENGINE_LAYER_INVALID');
    expect(outside()).toEqual(before);
  });

  test('no generated archive does, nor does any fail but by a stated refusal', () => {
    const part = fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh..wh..opq', 'outside', 'canary');
    const path = fc.array(part, { minLength: 1, maxLength: 6 }).map((parts) => parts.join('/'));
    const link = fc.oneof(path, path.map((text) => `/${text}`), fc.constant('../../../outside'), fc.constant('../../../outside/canary'), fc.constant('/proc/self/cwd'));
    const kinds = fc.constantFrom('0', '1', '2', '5', '6', '2', '1');
    const entry: fc.Arbitrary<MadeEntry> = fc.record({ name: path, type: kinds, link, mode: fc.constantFrom(0o777, isRoot ? 0o000 : 0o700, 0o4777), content: fc.constantFrom('', 'evil') });
    const before = outside();
    let round = 0;
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 12 }), (entries) => {
        const into = join(layer, `round-${(round += 1)}`);
        mkdirSync(into);
        const code = unpack(entries.map((one) => (one.type === '0' ? one : { ...one, content: '' })), into);
        expect([null, 'ENGINE_LAYER_INVALID', 'ENGINE_UNPACK_FAILED']).toContain(code);
        rmSync(into, { recursive: true, force: true });
        expect(outside()).toEqual(before);
      }),
      { numRuns: Number(env['HOSTILE_RUNS'] ?? 300) },
    );
  });
});
