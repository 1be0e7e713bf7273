import type { AppError } from '../../base/app-error.ts';
import type { ErrorCode } from '../../base/error-codes.ts';
import type { MemberId, Message, Snapshot } from '../../raft/types.ts';

/** A snapshot that a leader offers: what the core said, and what the file is. */
export type SnapshotOffer = { readonly message: Snapshot; readonly meta: string; readonly sizeBytes: number; readonly sha256: string; readonly chunkCount: number };

/** What members say to each other. */
export type HostMessage =
  | { readonly kind: 'raft'; readonly message: Message }
  /** A proposal passed on to the leader; its outcome shows in the log of the one who passed it on. */
  | { readonly kind: 'forward'; readonly payload: Uint8Array }
  | { readonly kind: 'forward-refused'; readonly requestId: string; readonly code: ErrorCode; readonly message: string }
  | { readonly kind: 'call'; readonly callId: number; readonly call: MemberCall }
  | { readonly kind: 'answer'; readonly callId: number; readonly answer: CallAnswer }
  | { readonly kind: 'snapshot-offer'; readonly offer: SnapshotOffer }
  | { readonly kind: 'snapshot-want'; readonly index: number; readonly term: number; readonly chunk: number }
  | { readonly kind: 'snapshot-chunk'; readonly index: number; readonly term: number; readonly chunk: number; readonly content: Uint8Array }
  | { readonly kind: 'snapshot-end'; readonly index: number; readonly term: number; readonly isInstalled: boolean }
  /** The sender knows, durably, that the receiver was removed, and who votes since. */
  | { readonly kind: 'removed'; readonly voters: readonly MemberId[] }
  /** The sender has seen that it was removed, and asks whether it may go. */
  | { readonly kind: 'may-leave' };

/** Changes of members, done by the leader; others pass them on. */
export type MemberCall =
  | { readonly kind: 'join'; readonly memberId: MemberId; readonly address: string; readonly featureLevel: number }
  | { readonly kind: 'update'; readonly memberId: MemberId; readonly address: string; readonly featureLevel: number }
  | { readonly kind: 'promote'; readonly memberId: MemberId }
  | { readonly kind: 'remove'; readonly memberId: MemberId }
  /** `memberId` goes and `byMemberId`, a learner that has caught up, comes, in one joint change. */
  | { readonly kind: 'replace'; readonly memberId: MemberId; readonly byMemberId: MemberId }
  | { readonly kind: 'transfer'; readonly memberId: MemberId };

export type CallAnswer =
  | { readonly kind: 'done'; readonly members: readonly { readonly id: MemberId; readonly address: string }[] }
  | { readonly kind: 'refused'; readonly code: ErrorCode; readonly message: string; readonly hint: string | null };

/** `beat`: small and urgent; `log`: entries; `bulk`: snapshots. Each lane of each peer is a connection of its own. */
export type Lane = 'beat' | 'log' | 'bulk';

export type Envelope = { readonly from: MemberId; readonly to: MemberId; readonly clusterId: string; readonly message: HostMessage };

/** Best effort: a message may be lost, repeated and overtaken, and too many waiting for one peer are dropped. */
export type PeerTransport = {
  readonly send: (envelope: Envelope, lane: Lane) => void;
  /** Whom to stay connected to, by address. */
  readonly setPeers: (peers: ReadonlyMap<MemberId, string>) => void;
  readonly close: () => void;
};

export function laneOf(message: HostMessage): Lane {
  switch (message.kind) {
    case 'raft':
      return message.message.kind === 'append' && message.message.entries.length > 0 ? 'log' : 'beat';
    case 'forward':
      return 'log';
    case 'snapshot-chunk':
      return 'bulk';
    default:
      return 'beat';
  }
}

export function refusedAnswer(error: AppError): CallAnswer {
  return { kind: 'refused', code: error.code, message: error.message, hint: error.hint ?? null };
}
