import { seededRandom } from '../../src/base/random.ts';
import { MemoryLogStorage, emptyConf } from '../../src/raft/log-storage.ts';
import { RaftCore } from '../../src/raft/raft-core.ts';
import type { MemberId, Message } from '../../src/raft/types.ts';

/**
 * How many entries a second the cores alone carry, all members of a cluster in one thread, nothing encoded and nothing written:
 * `node test/bench/raft-core.ts`. The host's disk and wire come on top.
 */
type Load = { readonly members: number; readonly entries: number; readonly perProposal: number; readonly proposalsPerRound: number };

const loads: readonly Load[] = [
  { members: 1, entries: 1_000_000, perProposal: 64, proposalsPerRound: 1 },
  { members: 3, entries: 1_000_000, perProposal: 64, proposalsPerRound: 1 },
  { members: 3, entries: 300_000, perProposal: 1, proposalsPerRound: 64 },
  { members: 3, entries: 200_000, perProposal: 1, proposalsPerRound: 1 },
  { members: 5, entries: 500_000, perProposal: 32, proposalsPerRound: 4 },
];

class Host {
  readonly core: RaftCore;
  readonly #storage = new MemoryLogStorage();
  applied = 0;

  constructor(id: MemberId, voters: readonly MemberId[], seed: number) {
    this.core = new RaftCore({ id, clusterId: 'bench', storage: this.#storage, random: seededRandom(seed), hardState: null, conf: { ...emptyConf, voters }, applied: 0 });
  }

  pump(send: (message: Message) => void): boolean {
    if (!this.core.hasReady()) return false;
    const ready = this.core.ready();
    ready.messages.forEach(send);
    if (ready.persist !== null) {
      this.#storage.append(ready.persist.entries);
      ready.persist.messagesAfterPersist.forEach(send);
      this.core.persisted(ready.persist.id);
    }
    const last = ready.committed.at(-1);
    if (last !== undefined) {
      this.applied = last.index;
      this.core.applied(last.index);
      if (last.index - this.#storage.firstIndex() > 20_000) this.#storage.compact(last.index - 10_000);
    }
    return true;
  }
}

function run(load: Load): void {
  const ids = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].slice(0, load.members);
  const hosts = new Map(ids.map((id, at) => [id, new Host(id, ids, at)]));
  const send = (message: Message): void => {
    hosts.get(message.to)?.core.step(message);
  };
  const pump = (): void => {
    for (let isBusy = true; isBusy; ) {
      isBusy = false;
      for (const host of hosts.values()) while (host.pump(send)) isBusy = true;
    }
  };
  const leader = hosts.get('a');
  if (leader === undefined) return;
  leader.core.campaign();
  pump();
  const data = new Uint8Array(256);
  const payloads = Array.from({ length: load.perProposal }, () => data);
  const start = performance.now();
  for (let sent = 0; sent < load.entries; ) {
    for (let count = 0; count < load.proposalsPerRound; count += 1) {
      leader.core.propose(payloads);
      sent += load.perProposal;
    }
    pump();
  }
  const seconds = (performance.now() - start) / 1000;
  const each = `${load.members} members, ${load.perProposal} entries a proposal, ${load.proposalsPerRound} proposals a round`;
  console.log(`${each}: ${Math.round(leader.applied / seconds / 1000)} k entries/s`);
}

loads.forEach(run);
