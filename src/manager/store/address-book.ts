import type { MemberId } from '../../raft/types.ts';
import { memberIds } from './store-state.ts';
import type { StoreState } from './store-state.ts';

/** How many removed members are still told that they were removed. */
const formerMax = 3;

/** Whom to stay connected to, and where: the members of the log, those known before the log told, and the last removed ones. */
export class AddressBook {
  readonly #self: MemberId;
  readonly #known: Map<MemberId, string>;

  constructor(self: MemberId, knownPeers: ReadonlyMap<MemberId, string>) {
    this.#self = self;
    this.#known = new Map(knownPeers);
  }

  /** Before members change: where those are that may be gone afterwards. */
  remember(state: StoreState): void {
    for (const [id, info] of state.members) this.#known.set(id, info.address);
  }

  of(state: StoreState): ReadonlyMap<MemberId, string> {
    const gone = state.removed.slice(0, -formerMax);
    const peers = new Map([...this.#known].filter(([id]) => id !== this.#self && !gone.includes(id)));
    for (const id of memberIds(state.conf)) {
      const address = state.members.get(id)?.address;
      if (id !== this.#self && address !== undefined) peers.set(id, address);
    }
    return peers;
  }
}
