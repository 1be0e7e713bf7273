/** Makes tar archives byte by byte, good ones and such as no archiver would. */
export type MadeEntry = {
  readonly name: string | Uint8Array;
  readonly type?: string;
  readonly link?: string | Uint8Array;
  readonly content?: string | Uint8Array;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  readonly mtime?: number;
  readonly device?: readonly [number, number];
  /** Records of an extended header before it; values may be binary. */
  readonly pax?: Readonly<Record<string, string | Uint8Array>>;
  /** The size that the header states, if not the true one. */
  readonly statedSize?: number;
  readonly gnuLongName?: boolean;
};

export function bytesOf(text: string | Uint8Array): Buffer {
  return typeof text === 'string' ? Buffer.from(text) : Buffer.from(text);
}

export function makeTar(entries: readonly MadeEntry[], options: { readonly isOpenEnded?: boolean } = {}): Buffer {
  return Buffer.concat([...entries.flatMap(entryParts), ...(options.isOpenEnded === true ? [] : [Buffer.alloc(1024)])]);
}

function entryParts(entry: MadeEntry): Buffer[] {
  const parts: Buffer[] = [];
  if (entry.pax !== undefined) {
    const body = Buffer.concat(Object.entries(entry.pax).map(([key, value]) => paxRecord(key, bytesOf(value))));
    parts.push(header({ name: 'pax', type: 'x' }, body.length), padded(body));
  }
  if (entry.gnuLongName === true) {
    const body = Buffer.concat([bytesOf(entry.name), Buffer.alloc(1)]);
    parts.push(header({ name: '././@LongLink', type: 'L' }, body.length), padded(body));
  }
  const content = bytesOf(entry.content ?? '');
  parts.push(header(entry, entry.statedSize ?? content.length), padded(content));
  return parts;
}

export function paxRecord(key: string, value: Uint8Array): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')]);
  let length = rest.length + 1;
  while (String(length).length + rest.length !== length) length += 1;
  return Buffer.concat([Buffer.from(String(length)), rest]);
}

function header(entry: MadeEntry, size: number): Buffer {
  const block = Buffer.alloc(512);
  const octal = (value: number, at: number, width: number): void => {
    block.write(`${value.toString(8).padStart(width - 1, '0')}\0`, at, 'latin1');
  };
  bytesOf(entry.name).copy(block, 0, 0, 100);
  octal(entry.mode ?? (entry.type === '5' ? 0o755 : 0o644), 100, 8);
  octal(entry.uid ?? 0, 108, 8);
  octal(entry.gid ?? 0, 116, 8);
  octal(size, 124, 12);
  octal(entry.mtime ?? 1_700_000_000, 136, 12);
  block.write(entry.type ?? '0', 156, 'latin1');
  bytesOf(entry.link ?? '').copy(block, 157, 0, 100);
  block.write('ustar\x0000', 257, 'latin1');
  octal(entry.device?.[0] ?? 0, 329, 8);
  octal(entry.device?.[1] ?? 0, 337, 8);
  return sealed(block);
}

/** Sets the checksum, after a change too. */
export function sealed(block: Buffer): Buffer {
  block.write('        ', 148, 'latin1');
  block.write(`${block.subarray(0, 512).reduce((sum, byte) => sum + byte, 0).toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return block;
}

function padded(content: Buffer): Buffer {
  return content.length % 512 === 0 ? content : Buffer.concat([content, Buffer.alloc(512 - (content.length % 512))]);
}
