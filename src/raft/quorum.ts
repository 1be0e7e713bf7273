import type { Index, MemberId } from './types.ts';

export type VoteResult = 'won' | 'lost' | 'pending';

/**
 * The highest index that a majority of `matches` has reached. A member that has not answered counts as 0. No members decide anything:
 * the answer is Infinity, so that an empty half of a joint configuration does not hold the other half back.
 */
export function majorityIndex(matches: number[]): Index {
  if (matches.length === 0) return Infinity;
  matches.sort((a, b) => b - a);
  return matches[Math.floor(matches.length / 2)] ?? 0;
}

/** Both halves must agree; with no voters at all nothing limits the answer. */
export function jointIndex(incoming: number[], outgoing: number[]): Index {
  return Math.min(majorityIndex(incoming), majorityIndex(outgoing));
}

/** Nobody to ask means won, for the same reason. */
export function majorityVote(voters: readonly MemberId[], votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  let yes = 0;
  let no = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) yes += 1;
    else if (vote === false) no += 1;
  }
  const needed = voters.length === 0 ? 0 : Math.floor(voters.length / 2) + 1;
  if (yes >= needed) return 'won';
  return voters.length - no < needed ? 'lost' : 'pending';
}

export function jointVote(incoming: readonly MemberId[], outgoing: readonly MemberId[], votes: ReadonlyMap<MemberId, boolean>): VoteResult {
  const first = majorityVote(incoming, votes);
  const second = majorityVote(outgoing, votes);
  if (first === 'lost' || second === 'lost') return 'lost';
  return first === 'won' && second === 'won' ? 'won' : 'pending';
}
