import { describe, expect, test } from 'vitest';
import { TarReader } from '../../../src/engine/image/tar-reader.ts';
import type { TarEntry } from '../../../src/engine/image/tar-reader.ts';
import { bytesOf, makeTar, sealed } from './tar-maker.ts';
import type { MadeEntry } from './tar-maker.ts';
import { fc } from '../../property.ts';

type Read = { readonly entry: TarEntry; readonly content: Buffer };

function read(archive: Uint8Array, pieceBytes: number = archive.length): Read[] {
  const found: { entry: TarEntry; parts: Buffer[] }[] = [];
  const reader = new TarReader({
    entry: (entry) => void found.push({ entry, parts: [] }),
    data: (chunk) => void found.at(-1)?.parts.push(Buffer.from(chunk)),
    entryEnd: () => undefined,
  });
  for (let at = 0; at < archive.length; at += pieceBytes) reader.push(archive.subarray(at, at + pieceBytes));
  reader.end();
  return found.map((one) => ({ entry: one.entry, content: Buffer.concat(one.parts) }));
}

const name = (one: Read | undefined): string => Buffer.from(one?.entry.path ?? []).toString();
const refused = (archive: Uint8Array): unknown => {
  try {
    read(archive);
    return null;
  } catch (error) {
    return error instanceof Error && 'code' in error ? error.code : error;
  }
};

describe('what archivers write', () => {
  test('every kind of entry is read with its fields', () => {
    const found = read(
      makeTar([
        { name: 'dir/', type: '5', mode: 0o1777, uid: 7, gid: 8 },
        { name: 'dir/file', content: 'text', mode: 0o4755, mtime: 12 },
        { name: 'soft', type: '2', link: '../x' },
        { name: 'hard', type: '1', link: 'dir/file' },
        { name: 'null', type: '3', device: [1, 3] },
        { name: 'disk', type: '4', device: [8, 1] },
        { name: 'pipe', type: '6' },
      ]),
    );
    expect(found.map((one) => [one.entry.kind, name(one)])).toEqual([['dir', 'dir/'], ['file', 'dir/file'], ['symlink', 'soft'], ['hardlink', 'hard'], ['char', 'null'], ['block', 'disk'], ['fifo', 'pipe']]);
    expect([found[0]?.entry.mode, found[0]?.entry.uid, found[0]?.entry.gid]).toEqual([0o1777, 7, 8]);
    expect([found[1]?.content.toString(), found[1]?.entry.mode, found[1]?.entry.modified]).toEqual(['text', 0o4755, { seconds: 12, nanoseconds: 0 }]);
    expect([found[4]?.entry.device, found[5]?.entry.device]).toEqual([{ major: 1, minor: 3 }, { major: 8, minor: 1 }]);
  });

  test('long names come by pax, by GNU and by the prefix of ustar', () => {
    const long = `${'d'.repeat(90)}/${'f'.repeat(90)}`;
    const prefixed = makeTar([{ name: 'f'.repeat(90) }]);
    prefixed.write('d'.repeat(90), 345, 'latin1');
    sealed(prefixed.subarray(0, 512));
    expect([read(makeTar([{ name: 'x', pax: { path: long } }])), read(makeTar([{ name: long, gnuLongName: true }])), read(prefixed)].map(([one]) => name(one))).toEqual([long, long, long]);
  });

  test('attributes keep every byte, and a value may hold newlines, equals signs and NULs', () => {
    const value = Uint8Array.from([0, 1, 0x0a, 0x3d, 0x80, 0xff, 0xfe]);
    const [one] = read(makeTar([{ name: 'x', pax: { 'SCHILY.xattr.security.capability': value } }]));
    expect(one?.entry.xattrs.get('security.capability')).toEqual(Buffer.from(value));
  });

  test('times have fractions and may lie before 1970; numbers may be in base 256', () => {
    expect(read(makeTar([{ name: 'x', pax: { mtime: '-1.25', uid: '4000000', gid: '70000' } }]))[0]?.entry).toMatchObject({ modified: { seconds: -2, nanoseconds: 750_000_000 }, uid: 4_000_000, gid: 70_000 });
    const binary = makeTar([{ name: 'x' }]);
    Buffer.from([0x80, 0, 0, 0, 0, 0x3d, 0x09, 0x00]).copy(binary, 108);
    Buffer.from([0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe]).copy(binary, 136);
    sealed(binary.subarray(0, 512));
    expect(read(binary)[0]?.entry).toMatchObject({ uid: 4_000_000, modified: { seconds: -2, nanoseconds: 0 } });
  });

  test('an archive may end without its two empty blocks, and what follows them is not read', () => {
    expect(read(makeTar([{ name: 'x', content: 'y' }], { isOpenEnded: true })).length).toBe(1);
    expect(read(Buffer.concat([makeTar([{ name: 'x' }]), Buffer.alloc(600, 0xff)])).length).toBe(1);
    expect(read(Buffer.alloc(0))).toEqual([]);
  });

  test('a global header is passed over', () => {
    expect(read(makeTar([{ name: 'pax_global_header', type: 'g', content: '52 comment=0123456789012345678901234567890123456789\n' }, { name: 'x' }])).map(name)).toEqual(['x']);
  });
});

describe('what is refused', () => {
  const wrongSum = makeTar([{ name: 'x' }]);
  wrongSum[0] = 0x79;
  const negative = makeTar([{ name: 'x' }]);
  Buffer.from(Array.from({ length: 12 }, () => 0xff)).copy(negative, 124);
  sealed(negative.subarray(0, 512));
  const rows: readonly (readonly [string, Uint8Array])[] = [
    ['a wrong checksum', wrongSum],
    ['a negative size', negative],
    ['an end in the middle of content', makeTar([{ name: 'x', content: 'y', statedSize: 5000 }], { isOpenEnded: true })],
    ['an end in the middle of a header', makeTar([{ name: 'x' }]).subarray(0, 300)],
    ['an end after a long name', makeTar([{ name: 'n'.repeat(200), gnuLongName: true }]).subarray(0, 1024)],
    ['an empty block between entries', Buffer.concat([makeTar([{ name: 'x' }], { isOpenEnded: true }), Buffer.alloc(512), makeTar([{ name: 'y' }])])],
    ['a sparse file of GNU', makeTar([{ name: 'x', type: 'S' }])],
    ['a sparse file of pax', makeTar([{ name: 'x', pax: { 'GNU.sparse.major': '1' } }])],
    ['an unknown kind', makeTar([{ name: 'x', type: 'Z' }])],
    ['a NUL in a pax name', makeTar([{ name: 'x', pax: { path: Uint8Array.from([0x61, 0, 0x62]) } }])],
    ['a pax size that is no number', makeTar([{ name: 'x', pax: { size: '1e3' } }])],
    ['a pax size beyond counting', makeTar([{ name: 'x', pax: { size: '99999999999999999999' } }])],
    ['a user beyond 32 bits', makeTar([{ name: 'x', pax: { uid: '4294967295' } }])],
    ['a pax record that is longer than its header', makeTar([{ name: 'p', type: 'x', content: '99 path=a\n' }, { name: 'x' }])],
    ['a pax record of length zero', makeTar([{ name: 'p', type: 'x', content: '0 path=a\n' }, { name: 'x' }])],
    ['an extended header of more than a megabyte', makeTar([{ name: 'p', type: 'x', statedSize: 1024 * 1024 + 1 }])],
  ];
  test.for(rows)('%s', ([, archive]) => {
    expect(refused(archive)).toBe('ENGINE_LAYER_INVALID');
  });
});

describe('laws', () => {
  const entry: fc.Arbitrary<MadeEntry> = fc.record({
    name: fc.string({ minLength: 1, maxLength: 90, unit: fc.constantFrom('a', 'b', '/', '.', 'é', ' ') }).filter((text) => Buffer.byteLength(text) < 100 && !text.endsWith('/')),
    content: fc.uint8Array({ maxLength: 1500 }),
    mode: fc.integer({ min: 0, max: 0o7777 }),
  });

  test('what was written is read back, in whatever pieces it arrives', () => {
    fc.assert(
      fc.property(fc.array(entry, { maxLength: 8 }), fc.integer({ min: 1, max: 2000 }), (entries, pieceBytes) => {
        const found = read(makeTar(entries), pieceBytes);
        expect(found.map((one) => [name(one), one.content.toString('hex'), one.entry.mode])).toEqual(entries.map((one) => [bytesOf(one.name).toString(), bytesOf(one.content ?? '').toString('hex'), one.mode]));
      }),
      { numRuns: 60 },
    );
  });

  test('no bytes make it throw anything but its own refusal', () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 4 }), fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 6 }), (entries, changes) => {
        const archive = makeTar(entries);
        for (const [at, value] of changes) archive[at % archive.length] = value;
        expect([null, 'ENGINE_LAYER_INVALID']).toContain(refused(archive));
      }),
      { numRuns: 300 },
    );
  });
});
