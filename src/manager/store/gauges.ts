import { defaultLimits } from '../../raft/raft-core.ts';
import type { StoreNode } from './node.ts';
import type { StoreLimits } from './store-limits.ts';
import { memberIds, removedMax } from './store-state.ts';

/** What a member's queues and files hold at this moment, beside the counts and times of `StoreMetrics`. */
export type Gauges = {
  /** Proposals whose outcome is not known yet. */
  readonly proposalsPending: number;
  /** Of them and of those passed on by others: not yet in the log. */
  readonly proposalsQueued: number;
  readonly readsPending: number;
  /** Pieces that wait for the log's writer. */
  readonly writesQueued: number;
  /** Committed, not yet applied here. */
  readonly applyQueued: number;
  /** Appends sent to followers and not acknowledged, of all of them; 0 unless leader. */
  readonly appendsUnderWay: number;
  readonly appendBytesUnderWay: number;
  readonly uncommittedBytes: number;
  readonly snapshotsSending: number;
  /** Since the newest snapshot. */
  readonly logEntries: number;
  readonly logBytes: number;
  /** How old the state in the newest snapshot is, by the leader's clock; null where there is none. */
  readonly snapshotAgeMs: number | null;
  readonly snapshotBytes: number;
  readonly objects: number;
  readonly removedMembers: number;
};

export function readGauges(node: StoreNode, nowMs: number): Gauges {
  const core = node.core.status();
  const { newestBytes, newestTimeMs, entriesSince, bytesSince } = node.snapshots;
  return {
    proposalsPending: node.proposals.pendingCount, proposalsQueued: node.proposals.queuedCount, readsPending: node.reads.pendingCount,
    writesQueued: node.writesQueued, applyQueued: node.applyQueued,
    appendsUnderWay: core.members.reduce((sum, member) => sum + member.inflightMessages, 0),
    appendBytesUnderWay: core.members.reduce((sum, member) => sum + member.inflightBytes, 0),
    uncommittedBytes: core.uncommittedBytes, snapshotsSending: node.snapshotsSending, logEntries: entriesSince, logBytes: bytesSince,
    snapshotAgeMs: newestTimeMs === null ? null : Math.max(0, nowMs - newestTimeMs), snapshotBytes: newestBytes,
    objects: Object.values(node.state.view.tables).reduce((sum, table) => sum + table.size, 0), removedMembers: node.state.removed.length,
  };
}

/** From here on an operator is told: while there is still room. */
const nearShare = 0.8;

/** A line for each bound that is near, and what happens at it. */
export function nearLimits(node: StoreNode, gauges: Gauges, limits: StoreLimits): string[] {
  const mb = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  const members = gauges.removedMembers + memberIds(node.state.conf).length;
  const checks: readonly { readonly value: number; readonly most: number; readonly text: string }[] = [
    { value: gauges.proposalsPending, most: limits.proposalsMax, text: `proposals-near-limit: ${gauges.proposalsPending} of ${limits.proposalsMax} changes wait; above it they are refused` },
    {
      value: gauges.uncommittedBytes, most: defaultLimits.uncommittedBytesMax,
      text: `uncommitted-near-limit: ${mb(gauges.uncommittedBytes)} of ${mb(defaultLimits.uncommittedBytesMax)} wait for a majority; above it changes are refused: are the other managers reachable, their disks slow?`,
    },
    { value: gauges.snapshotBytes, most: limits.stateBytesMax, text: `state-near-limit: the state has ${mb(gauges.snapshotBytes)}, meant for it are ${mb(limits.stateBytesMax)}: starts, snapshots and joins get slow; remove projects that nobody needs` },
    { value: members, most: removedMax, text: `removed-near-limit: ${gauges.removedMembers} members were removed, ${removedMax} are remembered; at that nobody new may join until a recovery begins anew` },
  ];
  return checks.filter(({ value, most }) => value >= most * nearShare).map(({ text }) => text);
}
