import { createHash } from 'node:crypto';
import { isAppError } from '../base/app-error.ts';
import type { IpFamily } from '../base/cidr.ts';
import type { NftElement } from '../os/netlink-nft.ts';
import { changeElements, deleteTable, generation, hasTable, listElements, listRules, listTables } from '../os/netlink-nft.ts';
import { netlinkFamily, openNetlink } from '../os/netlink-socket.ts';
import { runNft } from '../os/nft.ts';
import { encodeElement } from './element-rules.ts';
import type { Element } from './element-rules.ts';
import { buildFilterTable, factsMap, setNames } from './filter-rules.ts';
import { anyTablePrefix } from './link-names.ts';
import type { KernelNames } from './link-names.ts';

/**
 * Our table in the kernel. It is made once, by the nft command in one transaction; after that only elements change, by
 * netlink, in one transaction each. What the kernel has is read again only when somebody has touched nftables since.
 */
export type Filter = {
  /** Out: the elements that were removed and added, and whether the table itself had to be made. */
  readonly make: (elements: readonly Element[]) => Promise<{ readonly removed: readonly NftElement[]; readonly added: readonly NftElement[]; readonly wasMade: boolean }>;
  /** True when nobody has changed any table since our last change. */
  readonly isUntouched: () => boolean;
  /** The elements that the kernel has now, as keys of `elementKey`; empty where there is no table. */
  readonly keysNow: () => ReadonlySet<string>;
  /** Families whose forwarding other instances on this host guard: it was off before the first of them came. */
  readonly guardedByOthers: () => readonly IpFamily[];
  readonly purge: () => void;
  readonly close: () => void;
};

const elementSets: readonly string[] = Object.values(setNames).flat();
const fact = { text: 1, rules: 2 } as const;

export function createFilter(names: KernelNames): Filter {
  const socket = openNetlink(netlinkFamily.netfilter);
  const { table } = names;
  const text = buildFilterTable(names);
  const textDigest = digestOf([Buffer.from(text)]);
  /** What the kernel has, by set and bytes; null: to be read. */
  let known: ReadonlyMap<string, NftElement> | null = null;
  let seenGeneration = -1;

  const listIfThere = (set: string, of: string = table): NftElement[] => {
    try {
      return listElements(socket, { table: of, set });
    } catch (error) {
      // NOTE: a table that somebody took the set away from is not whole: it is made again.
      if (isAppError(error, 'OS_NETLINK')) return [];
      throw error;
    }
  };
  const read = (): ReadonlyMap<string, NftElement> => new Map(elementSets.flatMap((set) => listIfThere(set)).map((one) => [elementKey(one), one]));
  const isIntact = (): boolean => {
    if (!hasTable(socket, table)) return false;
    const facts = new Map(listIfThere(factsMap).map((one) => [one.key.readUInt32LE(0), one.data?.readUInt32LE(0)]));
    return facts.get(fact.text) === textDigest && facts.get(fact.rules) === digestOf(listRules(socket, table));
  };
  const remake = async (): Promise<void> => {
    await runNft(`table inet ${table} {}\ndelete table inet ${table}\n${text}`);
    const add = [
      factElement(fact.text, textDigest),
      factElement(fact.rules, digestOf(listRules(socket, table))),
    ];
    changeElements(socket, { table, remove: [], add });
  };

  return {
    make: async (elements) => {
      let wasMade = false;
      let now = known;
      if (now === null || generation(socket) !== seenGeneration) {
        known = null;
        wasMade = !isIntact();
        if (wasMade) await remake();
        now = read();
      }
      const there = now;
      const wished = new Map(elements.map(encodeElement).map((one) => [elementKey(one), one]));
      const removed = [...there].filter(([key, one]) => !isEqual(wished.get(key), one)).map(([, one]) => one);
      const added = [...wished].filter(([key, one]) => !isEqual(there.get(key), one)).map(([, one]) => one);
      known = null;
      changeElements(socket, { table, remove: removed, add: added });
      known = wished;
      seenGeneration = generation(socket);
      return { removed, added, wasMade };
    },
    isUntouched: () => known !== null && generation(socket) === seenGeneration,
    keysNow: () => new Set((known ?? read()).keys()),
    guardedByOthers: () => {
      const others = listTables(socket).filter((one) => one.startsWith(anyTablePrefix) && one !== table);
      const keys = others.flatMap((one) => listIfThere(setNames.guarded, one)).map((one) => elementKey(one));
      return ([4, 6] as const).filter((family) => keys.includes(elementKey(encodeElement({ set: setNames.guarded, key: [{ kind: 'family', family }], data: null }))));
    },
    purge: () => {
      known = null;
      deleteTable(socket, table);
    },
    close: () => socket.close(),
  };
}

/** Set and bytes of the key: what tells an element from all others of the table. */
export function elementKey(one: NftElement): string {
  return `${one.set} ${one.key.toString('latin1')}${one.keyEnd === null ? '' : one.keyEnd.toString('latin1')}`;
}

function factElement(key: number, value: number): NftElement {
  const number = (one: number): Buffer => Buffer.from(Uint32Array.of(one).buffer);
  return { set: factsMap, key: number(key), keyEnd: null, data: number(value) };
}

function isEqual(a: NftElement | undefined, b: NftElement): boolean {
  return a !== undefined && (a.data === null ? b.data === null : b.data !== null && a.data.equals(b.data));
}

function digestOf(parts: readonly Buffer[]): number {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash.digest().readUInt32LE(0);
}
