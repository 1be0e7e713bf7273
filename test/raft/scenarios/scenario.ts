import type { RaftMutation } from '../../../src/raft/mutations.ts';
import type { Entry, MemberId, Message, RaftLimits } from '../../../src/raft/types.ts';
import { Broken, World } from '../world.ts';

/** The smallest story that shows each known mistake: it ends well with the core as it is, and throws `Broken` with the mistake in it. */
export type Scenario = { readonly catches: RaftMutation; readonly name: string; readonly play: (world: (options?: Partial<Setup>) => World) => void };

export type Setup = { readonly voters: readonly MemberId[]; readonly others: readonly MemberId[]; readonly limits: Partial<RaftLimits>; readonly seed: number };

export function must(condition: boolean, promise: string): void {
  if (!condition) throw new Broken(promise);
}

/** The member campaigns and everybody helps. */
export function elect(world: World, id: MemberId): void {
  world.get(id).core.campaign();
  world.settle();
  must(world.leader()?.id === id, `${id} wins the election that it asks for`);
}

/** a leads and commits an entry that c does not get; then all hear each other again. */
export function electAndLeaveBehind(world: World): void {
  elect(world, 'a');
  world.isolate('c');
  world.propose('a');
  world.settle();
  world.heal();
}

export function cutBoth(world: World, a: MemberId, b: MemberId): void {
  world.cut.add(`${a}>${b}`);
  world.cut.add(`${b}>${a}`);
}

export function deliverWhere(world: World, isMeant: (message: Message) => boolean): void {
  for (const message of world.mail.filter(isMeant)) {
    world.mail.splice(world.mail.indexOf(message), 1);
    world.deliver(message);
  }
}

export const roleOf = (world: World, id: MemberId): string => world.get(id).core.status().role;
export const commitOf = (world: World, id: MemberId): number => world.get(id).core.status().hardState.commit;
export const entry = (index: number, term: number): Entry => ({ index, term, kind: 'normal', data: new Uint8Array([term]) });
