/**
 * Known mistakes of consensus implementations, each behind a test-only switch of the core (`RaftOptions.mutations`).
 * A suite that is worth its name catches every one. Sources stand with each.
 */
export const raftMutations = {
  'self-ack-before-persist': 'The leader counts its own acknowledgement before its log is durable (etcd#14370, fix #14413).',
  'ack-before-persist': 'A follower acknowledges entries before they are durable (etcd#14143, #14140; nats-server#7564).',
  'vote-before-persist': 'A granted vote leaves before vote and term are durable: two votes in one term after a crash (Raft §5.2).',
  'vote-asked-before-persist': 'A candidate asks for votes before its own term and vote are durable: elected by the others, it forgets the term in a crash and leads it a second time (found by this suite, SEED=20016834).',
  'vote-not-in-hard-state': 'The vote is not part of what is persisted (Raft §5; reproduced with an npm package).',
  'apply-before-persist': 'Committed entries are applied before they are durable here (etcd#10508).',
  'double-vote': 'A second candidate of the same term gets a vote too (Raft §5.2).',
  'vote-ignores-log': 'A vote is given to a candidate whose log is behind (Raft §5.4.1).',
  'commit-old-term': 'The leader commits entries of earlier terms by counting copies (Raft §5.4.2, figure 8).',
  'commit-past-match': 'A follower takes the leader\'s commit index beyond what it knows to be equal (Raft §5.3).',
  'heartbeat-commit-unclamped': 'A heartbeat carries the whole commit index to a follower that may hold other entries (etcd-io/raft sendHeartbeat).',
  'append-truncates-always': 'An append cuts the log behind its entries although nothing conflicts: reordered messages lose acknowledged entries (Raft §5.3).',
  'append-ignores-previous': 'The entry before the new ones is not compared (Raft §5.3, log matching).',
  'stable-by-index-only': 'A finished write counts although other entries replaced it since (etcd-io/raft async storage, ABA).',
  'old-snapshot-installed': 'A snapshot older than the commit index replaces the log.',
  'read-local': 'The leader answers reads from its own state (etcd#741, Jepsen 2014).',
  'read-before-quorum': 'A read is served after the first confirmation instead of a majority\'s (d-engine#381).',
  'read-before-term-commit': 'ReadIndex is answered before an entry of the leader\'s term is committed (etcd#7331).',
  'read-round-reused': 'Confirmations of an earlier round count for a later read (etcd#20418, etcd-io/raft#397).',
  'pre-vote-reject-without-term': 'A refused pre-vote does not tell the newer term: a member with a low term and a long log blocks elections (etcd#8243, canonical/raft#279).',
  'no-pre-vote': 'No pre-vote: a member that returns deposes the leader; mixed settings block (etcd#9333, #9352, #9241, #8501).',
  'no-check-quorum': 'A leader cut off from the quorum goes on leading, and followers have no lease (etcd#8501).',
  'conf-change-before-term-commit': 'A leader changes members before an entry of its term is committed and earlier changes are applied (Ongaro, raft-dev 2015).',
  'conf-change-at-append': 'A change is effective when appended and not taken back when cut (etcd#7625, cockroach#36098).',
  'conf-change-many-pending': 'A second change is taken while one is not applied yet.',
  'joint-stuck': 'Only the leader that proposed a joint change leaves it: stuck after a leader change (etcd#12136, #12359, #12582).',
  'joint-one-majority': 'While joint, a majority of the incoming voters is enough (camunda#60086, async-raft#62).',
  'founders-forgotten': 'A member that joins with an empty log does not learn who founded the cluster: it elects itself (found by this suite\'s random schedules).',
  'commit-not-told': 'Votes do not tell what is committed: a voter that does not know of a committed removal waits for ever for a vote it cannot get (tikv/raft-rs, commit by vote).',
  'match-from-last-index': 'A new member\'s match index starts at the leader\'s last index (async-raft#113).',
  'learner-counts': 'Learners count as voters.',
  'removed-leader-stays': 'A removed leader goes on leading (Raft thesis §4.2.2).',
  'removed-member-heard': 'Messages of removed members and of other clusters are taken (swarmkit#1090, moby#34384).',
  'transfer-to-lagging': 'Leadership is handed to a member that lacks entries (Raft thesis §3.10).',
  'transfer-never-aborted': 'A handover to a dead member blocks proposals for ever (Raft thesis §3.10).',
  'late-tick-decides': 'After a late wake-up the election timer fires before waiting messages are read.',
  'uncommitted-unbounded': 'Proposals are taken without limit while nothing commits.',
  'window-unbounded': 'Appends to a slow follower are sent without limit.',
} as const;

export type RaftMutation = keyof typeof raftMutations;

/** Mistakes of the same table that live in the host: named here so that the list is complete; the core does not know them. */
export const hostMutations = {
  'host-no-fsync': 'The log is written but not synced before messagesAfterPersist leave (etcd#14143; nats-server#7564).',
  'host-hard-state-dropped': 'Term and vote are kept in memory only (Raft §5; an npm package).',
  'host-sends-before-persist': 'messagesAfterPersist are sent at once (etcd#14370).',
  'host-persist-reported-early': 'persisted(id) is called before the write is durable.',
  'host-applied-index-apart': 'Applied index and state are not saved as one (etcd 3.5 data inconsistency, PR #13967, #13766).',
  'host-local-read': 'A read is answered without waiting for applied ≥ read index (etcd#741).',
  'host-cut-corrupt-middle': 'A damaged record that is not the torn tail is cut (Alagappan et al., FAST\'18).',
  'host-no-dir-fsync': 'Create and rename without a sync of the directory (etcd#6378, #6379).',
  'host-retry-fsync': 'An fsync that failed is tried again (PostgreSQL fsyncgate).',
  'host-snapshot-in-one-message': 'A snapshot travels in one message, with a fixed timeout (swarmkit#2374, #3113).',
  'host-all-ticks-counted': 'A late wake-up counts every tick that was missed.',
  'host-id-reused': 'A wiped member rejoins with its old id (nats-server#7545).',
  'host-voter-before-caught-up': 'A new member is made a voter at once (async-raft#113; swarmkit#2670).',
  'host-remove-breaks-quorum': 'A removal leaves fewer reachable voters than a quorum (moby#34384, #30847).',
  'host-recover-forgets-key': 'Recovery from lost quorum forgets the autolock key (moby#36852).',
  'host-refuses-repeated': 'A request id that was asked for before is refused as if nothing could have happened (requirement 9: an ambiguous outcome is unknown).',
  'host-arrived-forgotten': 'A leader\'s snapshot that came while an earlier one waits for the log is removed when that one is installed (found by SEED=494).',
  'host-arrival-taken-back': 'A snapshot that comes a second time, in vain, is no longer kept for the installation that waits.',
  'host-key-between-dropped': 'Of several changes of keys within one slow answer, the key of the middle one is dropped, though files are about to be written with it.',
  'host-log-begun-early': 'An empty log is taken to begin behind an old snapshot that it still names, though a newer one is loaded: the member does not start.',
  'host-feature-level-ignored': 'An entry of a newer version is written although not every member can read it (requirement 25).',
} as const;

export type HostMutation = keyof typeof hostMutations;
