import { outcomeOf } from '../../src/cluster/state/view.ts';
import type { View } from '../../src/cluster/state/view.ts';
import type { StoreNode } from '../../src/manager/store/node.ts';
import { requestIdOf } from '../../src/manager/store/entry-codec.ts';
import type { StoreState } from '../../src/manager/store/store-state.ts';
import type { Entry, SoftState } from '../../src/raft/types.ts';

/** A rule of the design was broken. */
export class SimFailure extends Error {}

type Canonical = { readonly term: number; /** It was committed in this term or before. */ readonly knownTerm: number; readonly data: Uint8Array; readonly requestId: string | null; readonly state: StoreState; digest: string | null };

/** What must hold at every step, whatever goes wrong. */
export class Oracles {
  readonly #leaders: Map<number, string> = new Map();
  /** Index and term → content and the term before: two logs that agree on an entry agree on all before it. */
  readonly #entries: Map<number, Map<number, { readonly data: Uint8Array; readonly previousTerm: number | null }>> = new Map();
  readonly #applied: Map<number, Canonical> = new Map();
  readonly #byRequest: Map<string, number> = new Map();
  #highest = 0;
  /** How often a member asked for votes. */
  campaigns = 0;
  confChanges = 0;
  statesCompared = 0;
  #checks = 0;

  get highest(): number {
    return this.#highest;
  }

  get leaderTerms(): ReadonlyMap<number, string> {
    return this.#leaders;
  }

  /** The index at which a request took effect, if it did. */
  indexOf(requestId: string): number | null {
    return this.#byRequest.get(requestId) ?? null;
  }

  role(member: string, softState: SoftState, term: number, node: StoreNode | null): void {
    if (softState.role === 'pre-candidate') this.campaigns += 1;
    if (softState.role !== 'leader') return;
    const other = this.#leaders.get(term);
    if (other !== undefined && other !== member) throw new SimFailure(`election safety: ${other} and ${member} both lead term ${term}`);
    this.#leaders.set(term, member);
    if (node === null) return;
    const { firstIndex } = node.core.status();
    for (let index = Math.max(firstIndex, this.#highest - 200); index <= this.#highest; index += 1) {
      const found = node.core.termAt(index);
      const canonical = this.#applied.get(index);
      // NOTE: a leader of an older term, elected late by messages that were under way, need not hold what was committed since.
      if (canonical !== undefined && canonical.knownTerm < term && found !== canonical.term) throw new SimFailure(`leader completeness: ${member} leads term ${term} with entry ${index} of term ${found}, applied was term ${canonical.term}`);
    }
  }

  appended(member: string, entries: readonly Entry[], before: number | null): void {
    let previousTerm = before;
    for (const entry of entries) {
      let terms = this.#entries.get(entry.index);
      if (terms === undefined) {
        terms = new Map();
        this.#entries.set(entry.index, terms);
      }
      const known = terms.get(entry.term);
      if (known === undefined) terms.set(entry.term, { data: entry.data, previousTerm });
      else {
        if (!isSame(known.data, entry.data)) throw new SimFailure(`log matching: entry ${entry.index} of term ${entry.term} has two contents (${member})`);
        if (known.previousTerm !== null && previousTerm !== null && known.previousTerm !== previousTerm) {
          throw new SimFailure(`log matching: before entry ${entry.index} of term ${entry.term} stand terms ${known.previousTerm} and ${previousTerm} (${member})`);
        }
      }
      previousTerm = entry.term;
    }
  }

  applied(member: string, entry: Entry, state: StoreState, knownTerm: number): void {
    const known = this.#applied.get(entry.index);
    if (known === undefined) {
      if (entry.index !== this.#highest + 1) throw new SimFailure(`${member} applied entry ${entry.index}, nobody applied ${this.#highest + 1}`);
      const requestId = entry.kind === 'normal' ? requestIdOf(entry.data) : null;
      this.#applied.set(entry.index, { term: entry.term, knownTerm, data: entry.data, requestId, state, digest: null });
      this.#highest = entry.index;
      if (entry.kind === 'conf') this.confChanges += 1;
      const outcome = requestId === null ? undefined : outcomeOf(state.view, requestId);
      if (requestId !== null && outcome?.revision === entry.index) this.#byRequest.set(requestId, entry.index);
      return;
    }
    if (known.term !== entry.term || !isSame(known.data, entry.data)) throw new SimFailure(`state machine safety: ${member} applied another entry ${entry.index} (term ${entry.term}, first term ${known.term})`);
    this.#checks += 1;
    if (this.#checks % 8 === 0) this.sameState(member, state, 'applied');
  }

  /** A state from a snapshot or from the disk is one that was applied. */
  sameState(member: string, state: StoreState, how: string): void {
    const index = state.view.revision;
    if (index === 0) return;
    const known = this.#applied.get(index);
    if (known === undefined) throw new SimFailure(`${member} ${how} a state at ${index} that nobody applied`);
    this.statesCompared += 1;
    if (known.state === state) return;
    known.digest ??= digest(known.state);
    const found = digest(state);
    if (found !== known.digest) throw new SimFailure(`state machine safety: ${member} ${how} another state at ${index}:\n${found}\n${known.digest}`);
  }

  valueAt(index: number): View | null {
    return this.#applied.get(index)?.state.view ?? null;
  }
}

function digest(state: StoreState): string {
  const objects = [...state.view.tables.config.values()].sort((a, b) => (a.id < b.id ? -1 : 1)).map((one) => [one.id, one.version, one.dataBase64.length > 40 ? one.dataBase64.length : one.dataBase64]);
  return JSON.stringify([state.term, state.conf, [...state.members].sort(), state.removed, state.featureLevel, state.view.requests.nextSequence, objects]);
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a === b || Buffer.compare(a, b) === 0;
}
