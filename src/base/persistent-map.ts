/**
 * An immutable map from strings, as a hash trie of 32 branches (Bagwell, Ideal Hash Trees, 2001): `set` and `delete` answer
 * a new map that shares all but the path with the old one, O(log32 n). A snapshot is therefore free.
 * The order of iteration depends only on the keys, not on the order of insertion, except among equal hashes.
 */
export class PersistentMap<V> implements Iterable<readonly [string, V]> {
  readonly size: number;
  readonly #root: TrieNode<V> | null;

  private constructor(root: TrieNode<V> | null, size: number) {
    this.#root = root;
    this.size = size;
  }

  static empty<V>(): PersistentMap<V> {
    return new PersistentMap<V>(null, 0);
  }

  static from<V>(entries: Iterable<readonly [string, V]>): PersistentMap<V> {
    let root: TrieNode<V> | null = null;
    let size = 0;
    for (const [key, value] of entries) {
      const grown = { count: 0 };
      root = insertInPlace(root, 0, { kind: 'leaf', hash: hashOf(key), key, value, others: null }, grown);
      size += grown.count;
    }
    return new PersistentMap(root, size);
  }

  get(key: string): V | undefined {
    let node = this.#root;
    const hash = hashOf(key);
    for (let shift = 0; node !== null; shift += 5) {
      if (node.kind === 'leaf') return node.hash === hash ? valueIn(node, key) : undefined;
      const bit = 1 << ((hash >>> shift) & 31);
      if ((node.bitmap & bit) === 0) return undefined;
      node = node.children[popCount(node.bitmap & (bit - 1))] ?? null;
    }
    return undefined;
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** NOTE: undefined is not a value. */
  set(key: string, value: V): PersistentMap<V> {
    const grown = { count: 0 };
    const root = insert(this.#root, 0, { kind: 'leaf', hash: hashOf(key), key, value, others: null }, grown);
    return new PersistentMap(root, this.size + grown.count);
  }

  delete(key: string): PersistentMap<V> {
    if (!this.has(key)) return this;
    return new PersistentMap(remove(this.#root, 0, hashOf(key), key), this.size - 1);
  }

  *[Symbol.iterator](): Iterator<readonly [string, V]> {
    for (const leaf of this.#leaves()) yield [leaf.key, leaf.value];
  }

  *keys(): IterableIterator<string> {
    for (const leaf of this.#leaves()) yield leaf.key;
  }

  *values(): IterableIterator<V> {
    for (const leaf of this.#leaves()) yield leaf.value;
  }

  *#leaves(): IterableIterator<Leaf<V>> {
    const stack: TrieNode<V>[] = this.#root === null ? [] : [this.#root];
    for (let node = stack.pop(); node !== undefined; node = stack.pop()) {
      if (node.kind === 'leaf') for (let leaf: Leaf<V> | null = node; leaf !== null; leaf = leaf.others) yield leaf;
      else for (let index = node.children.length - 1; index >= 0; index -= 1) stack.push(node.children[index]!);
    }
  }

}

/** `others`: keys of the same hash, which is rare. */
type Leaf<V> = { readonly kind: 'leaf'; readonly hash: number; readonly key: string; readonly value: V; readonly others: Leaf<V> | null };
/** NOTE: written to only while `from` builds a map that nobody has seen yet. */
type Branch<V> = { readonly kind: 'branch'; bitmap: number; children: TrieNode<V>[] };
type TrieNode<V> = Leaf<V> | Branch<V>;

function valueIn<V>(first: Leaf<V>, key: string): V | undefined {
  for (let leaf: Leaf<V> | null = first; leaf !== null; leaf = leaf.others) if (leaf.key === key) return leaf.value;
  return undefined;
}

/** The chain of equal hashes without one key. */
function without<V>(first: Leaf<V> | null, key: string): Leaf<V> | null {
  if (first === null || first.key === key) return first === null ? null : first.others;
  const others = without(first.others, key);
  return others === first.others ? first : { ...first, others };
}

/** As `insert`, but the branches are this call's own, so nothing is copied: a map of many is built several times faster. */
function insertInPlace<V>(node: TrieNode<V> | null, shift: number, leaf: Leaf<V>, grown: { count: number }): TrieNode<V> {
  if (node === null || (node.kind === 'leaf' && node.hash === leaf.hash)) return insert(node, shift, leaf, grown);
  const branch = node.kind === 'branch' ? node : insertIntoBranch({ kind: 'branch', bitmap: 0, children: [] }, shift, node, { count: 0 });
  const bit = 1 << ((leaf.hash >>> shift) & 31);
  const position = popCount(branch.bitmap & (bit - 1));
  if ((branch.bitmap & bit) === 0) {
    grown.count = 1;
    branch.children.splice(position, 0, leaf);
    branch.bitmap |= bit;
  } else branch.children[position] = insertInPlace(branch.children[position] ?? null, shift + 5, leaf, grown);
  return branch;
}

function insert<V>(node: TrieNode<V> | null, shift: number, leaf: Leaf<V>, grown: { count: number }): TrieNode<V> {
  if (node === null) {
    grown.count = 1;
    return leaf;
  }
  if (node.kind === 'leaf') {
    if (node.hash === leaf.hash) {
      const others = without(node, leaf.key);
      grown.count = others === node ? 1 : 0;
      return others === null ? leaf : { ...leaf, others };
    }
    return insert(insertIntoBranch({ kind: 'branch', bitmap: 0, children: [] }, shift, node, { count: 0 }), shift, leaf, grown);
  }
  return insertIntoBranch(node, shift, leaf, grown);
}

function insertIntoBranch<V>(node: Branch<V>, shift: number, leaf: Leaf<V>, grown: { count: number }): Branch<V> {
  const bit = 1 << ((leaf.hash >>> shift) & 31);
  const position = popCount(node.bitmap & (bit - 1));
  const children = node.children.slice();
  if ((node.bitmap & bit) === 0) {
    grown.count = 1;
    children.splice(position, 0, leaf);
    return { kind: 'branch', bitmap: node.bitmap | bit, children };
  }
  children[position] = insert(children[position] ?? null, shift + 5, leaf, grown);
  return { kind: 'branch', bitmap: node.bitmap, children };
}

function remove<V>(node: TrieNode<V> | null, shift: number, hash: number, key: string): TrieNode<V> | null {
  if (node === null) return null;
  if (node.kind === 'leaf') {
    return without(node, key);
  }
  const bit = 1 << ((hash >>> shift) & 31);
  const position = popCount(node.bitmap & (bit - 1));
  const child = remove(node.children[position] ?? null, shift + 5, hash, key);
  const children = node.children.slice();
  if (child === null) {
    if (children.length === 1) return null;
    children.splice(position, 1);
    // A lone leaf moves up, so that equal contents have equal shape.
    const [only] = children;
    if (children.length === 1 && only !== undefined && only.kind === 'leaf') return only;
    return { kind: 'branch', bitmap: node.bitmap & ~bit, children };
  }
  if (children.length === 1 && child.kind === 'leaf') return child;
  children[position] = child;
  return { kind: 'branch', bitmap: node.bitmap, children };
}

/** FNV-1a over UTF-16 units with a final mix: good spread for ids and names alike. Signed, because a larger number is an object of its own. */
function hashOf(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  hash ^= hash >>> 15;
  hash = Math.imul(hash, 0x2c1b3c6d);
  return hash ^ (hash >>> 12);
}

function popCount(bits: number): number {
  let n = bits - ((bits >>> 1) & 0x55555555);
  n = (n & 0x33333333) + ((n >>> 2) & 0x33333333);
  return Math.imul((n + (n >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}
