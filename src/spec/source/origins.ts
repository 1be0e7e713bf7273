import { isMap, isScalar, isSeq } from 'yaml';
import type { LineCounter, Node, YAMLMap, YAMLSeq } from 'yaml';
import type { Dict, List } from './values.ts';

/** One file (or one document of it) as it was read: enough to say where a node stands. */
export type SourceText = { readonly file: string; readonly text: string; readonly lines: LineCounter };

/** A stretch of a source; `line` and `column` count from 1. */
export type Position = { readonly file: string; readonly line: number; readonly column: number; readonly length: number };

type Container = Dict | List;
/** A value is moved once for each file and each step of a chain; more is a knot. */
const movesMax = 500;
type Entry = { readonly source: SourceText; readonly key: Node | null; readonly value: Node | null };
type Moved = { readonly from: Container; readonly fromKey: string | number };
type Origin = {
  /** The collection that the container was made of, in its file. */
  readonly source: SourceText | undefined;
  readonly node: YAMLMap | YAMLSeq | undefined;
  /** Children that came from elsewhere (merge keys, merges of files), by key or index: looked up when someone asks. */
  moved: Map<string | number, Entry | Moved> | undefined;
  /** The value's own stretch: that of the node, or of the scalar that a short syntax was. */
  readonly self: Entry | undefined;
};

/**
 * Where every container of the model came from, kept beside the model. Costs a map entry a container while loading;
 * lines and columns are worked out only when a diagnostic asks.
 */
export class Origins {
  readonly #byContainer = new WeakMap<Container, Origin>();

  /** Says that `container` was read from `node`. */
  note(container: Container, source: SourceText, node: YAMLMap | YAMLSeq): void {
    this.#byContainer.set(container, { source, node, moved: undefined, self: undefined });
  }

  /** Says that `to` is a new form of `from`: a copy, or the long form of a short one. */
  carry(to: Container, from: Container): void {
    const origin = this.#byContainer.get(from);
    if (origin !== undefined && !this.#byContainer.has(to)) this.#byContainer.set(to, { ...origin, moved: origin.moved === undefined ? undefined : new Map(origin.moved) });
  }

  /** Says that `to[toKey]` is what `from[fromKey]` was. */
  move(to: Container, toKey: string | number, from: Container, fromKey: string | number): void {
    // NOTE: within one container the old places are about to be overwritten, so they are read now.
    const entry = to === from ? this.#entryOf(from, fromKey) : { from, fromKey };
    if (entry === undefined) return;
    let origin = this.#byContainer.get(to);
    if (origin === undefined) {
      origin = { source: undefined, node: undefined, moved: undefined, self: undefined };
      this.#byContainer.set(to, origin);
    }
    origin.moved ??= new Map();
    origin.moved.set(toKey, entry);
  }

  /** Says that `container` is the long form of the scalar at `from[fromKey]`. */
  expand(container: Container, from: Container, fromKey: string | number): void {
    const self = this.#entryOf(from, fromKey);
    if (self !== undefined && !this.#byContainer.has(container)) this.#byContainer.set(container, { source: undefined, node: undefined, moved: undefined, self });
  }

  /** Where the key (`part: 'key'`) or the value of a child stands. */
  at(container: Container, key: string | number, part: 'key' | 'value'): Position | undefined {
    const entry = this.#entryOf(container, key);
    if (entry === undefined) return this.whole(container);
    const node = part === 'key' ? (entry.key ?? entry.value) : (entry.value ?? entry.key);
    return node === null ? undefined : positionOf(entry.source, node);
  }

  /** The child's source text and value node, for carets inside a scalar. */
  scalarAt(container: Container, key: string | number): { readonly source: SourceText; readonly start: number; readonly isPlain: boolean } | undefined {
    const entry = this.#entryOf(container, key);
    if (entry === undefined || entry.value === null || !isScalar(entry.value) || entry.value.range == null) return undefined;
    const isQuoted = entry.value.type === 'QUOTE_DOUBLE' || entry.value.type === 'QUOTE_SINGLE';
    return { source: entry.source, start: entry.value.range[0] + (isQuoted ? 1 : 0), isPlain: isQuoted || entry.value.type === 'PLAIN' };
  }

  /** Where a container begins. */
  whole(container: Container): Position | undefined {
    const origin = this.#byContainer.get(container);
    if (origin?.source !== undefined && origin.node !== undefined) return positionOf(origin.source, origin.node);
    const node = origin?.self?.value ?? origin?.self?.key ?? null;
    if (origin?.self !== undefined && node !== null) return positionOf(origin.self.source, node);
    const moved = origin?.moved?.values().next().value;
    const first = moved === undefined ? undefined : this.#resolved(moved, 0);
    return first === undefined ? undefined : positionOf(first.source, first.key ?? first.value ?? undefined);
  }

  #resolved(entry: Entry | Moved, depth: number): Entry | undefined {
    if (!('from' in entry)) return entry;
    return depth > movesMax ? undefined : this.#entryOf(entry.from, entry.fromKey, depth + 1);
  }

  #entryOf(container: Container, key: string | number, depth: number = 0): Entry | undefined {
    const origin = this.#byContainer.get(container);
    if (origin === undefined) return undefined;
    const moved = origin.moved?.get(key);
    if (moved !== undefined) return this.#resolved(moved, depth);
    if (origin.source === undefined || origin.node === undefined) return origin.self;
    if (isSeq(origin.node)) {
      const item = typeof key === 'number' ? origin.node.items[key] : undefined;
      return item === undefined ? undefined : { source: origin.source, key: null, value: nodeOf(item) };
    }
    const pair = origin.node.items.find((one) => isScalar(one.key) && String(one.key.source ?? one.key.value) === key);
    return pair === undefined ? undefined : { source: origin.source, key: nodeOf(pair.key), value: nodeOf(pair.value) };
  }
}

function nodeOf(value: unknown): Node | null {
  return isMap(value) || isSeq(value) || isScalar(value) ? value : null;
}

function positionOf(source: SourceText, node: Node | undefined): Position {
  const start = node?.range?.[0] ?? 0;
  const end = node?.range?.[1] ?? start + 1;
  return positionAt(source, start, end);
}

/** The position of a stretch of offsets; the caret does not reach beyond its first line. */
export function positionAt(source: SourceText, start: number, end: number): Position {
  const { line, col } = source.lines.linePos(start);
  const newline = source.text.indexOf('\n', start);
  const stop = Math.min(end, newline < 0 ? source.text.length : newline);
  return { file: source.file, line, column: col, length: Math.max(1, stop - start) };
}
