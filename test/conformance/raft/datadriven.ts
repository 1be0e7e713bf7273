/** One block of a datadriven file: a command, its input and what was answered. */
export type Block = {
  readonly line: number;
  readonly command: string;
  readonly args: readonly Arg[];
  readonly input: string;
  readonly expected: string;
};

export type Arg = { readonly key: string; readonly values: readonly string[] };

/**
 * Reads a file of blocks `command args`, input lines, `----`, output up to a blank line. An output that begins with a second `----`
 * ends at `----` twice and may hold blank lines. Lines that begin with `#` between blocks are comments.
 */
export function parseBlocks(text: string): Block[] {
  const lines = text.split('\n');
  const blocks: Block[] = [];
  let at = 0;
  while (at < lines.length) {
    const start = lines[at] ?? '';
    if (start.trim() === '' || start.startsWith('#')) {
      at += 1;
      continue;
    }
    const line = at + 1;
    let head = start;
    while (head.endsWith('\\')) {
      at += 1;
      head = `${head.slice(0, -1)} ${lines[at] ?? ''}`;
    }
    at += 1;
    const input: string[] = [];
    while (at < lines.length && lines[at] !== '----') input.push(lines[at++] ?? '');
    at += 1;
    const expected: string[] = [];
    if (lines[at] === '----') {
      at += 1;
      while (at < lines.length && !(lines[at] === '----' && lines[at + 1] === '----')) expected.push(lines[at++] ?? '');
      at += 2;
    } else {
      while (at < lines.length && lines[at] !== '') expected.push(lines[at++] ?? '');
    }
    blocks.push({ line, ...parseHead(head), input: input.join('\n'), expected: expected.join('\n') });
  }
  return blocks;
}

/** `propose-conf-change 1 v1=true voters=(1,2 3)` */
function parseHead(head: string): { command: string; args: Arg[] } {
  const words = Array.from(head.matchAll(/[^\s()=]+=\([^)]*\)|\S+/g), (match) => match[0]);
  const args = words.slice(1).map((word): Arg => {
    const match = /^([^=]+)=(.*)$/.exec(word);
    if (match === null) return { key: word, values: [] };
    const value = match[2] ?? '';
    const list = /^\((.*)\)$/.exec(value);
    return { key: match[1] ?? '', values: list === null ? [value] : (list[1] ?? '').split(/[\s,]+/).filter((one) => one !== '') };
  });
  return { command: words[0] ?? '', args };
}
