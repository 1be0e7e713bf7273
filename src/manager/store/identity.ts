import { AppError } from '../../base/app-error.ts';
import { randomId } from '../../base/ids.ts';
import type { Random } from '../../base/random.ts';
import type { Disk } from '../../os/disk.ts';
import type { MemberId } from '../../raft/types.ts';
import { readJson, writeJson } from './durable-json.ts';

/** Who a data directory belongs to. Written once, before anything else; only `restore` and `recover` write another. */
export type Identity = {
  readonly format: 1;
  readonly clusterId: string;
  /** Grows when a cluster is recovered from a lost quorum or restored, so that members of before can't come back. */
  readonly incarnation: number;
  readonly memberId: MemberId;
  /** Who voted before the first entry of the log: the state that every member of the cluster starts from. */
  readonly firstVoters: readonly MemberId[];
  /** Addresses to begin with; the log tells later ones. */
  readonly knownPeers: readonly { readonly id: MemberId; readonly address: string }[];
};

const fileName = 'identity.json';

export function firstIdentity(random: Random): Identity {
  const memberId = randomId(random);
  return { format: 1, clusterId: randomId(random), incarnation: 1, memberId, firstVoters: [memberId], knownPeers: [] };
}

/** Cluster and incarnation, as the log, snapshots and peers compare them. */
export function clusterKey(identity: Identity): string {
  return `${identity.clusterId}.${identity.incarnation}`;
}

export function readIdentity(disk: Disk, dir: string): Identity | null {
  const value = readJson(disk, dir, fileName);
  if (value === undefined) return null;
  if (
    typeof value !== 'object' || value === null || !('format' in value) || !('clusterId' in value) || !('incarnation' in value) || !('memberId' in value) ||
    !('firstVoters' in value) || !Array.isArray(value.firstVoters) || !('knownPeers' in value) || !Array.isArray(value.knownPeers)
  ) throw unreadable(dir, 'a field is missing');
  const { format, clusterId, incarnation, memberId, firstVoters, knownPeers } = value;
  if (format !== 1) throw new AppError({ code: 'MANAGER_WAL_FOREIGN', message: `${dir} has format ${String(format)}, this version reads format 1`, hint: 'start the version of Flotilla that wrote it' });
  if (typeof clusterId !== 'string' || typeof incarnation !== 'number' || typeof memberId !== 'string') throw unreadable(dir, 'a field has another type');
  return { format, clusterId, incarnation, memberId, firstVoters: firstVoters.map(String), knownPeers: knownPeers.map((peer: unknown) => parsePeer(dir, peer)) };
}

export function writeIdentity(disk: Disk, dir: string, identity: Identity): void {
  disk.makeDir(dir);
  writeJson(disk, dir, fileName, identity);
}

function parsePeer(dir: string, value: unknown): { readonly id: MemberId; readonly address: string } {
  if (typeof value === 'object' && value !== null && 'id' in value && 'address' in value && typeof value.id === 'string' && typeof value.address === 'string') {
    return { id: value.id, address: value.address };
  }
  throw unreadable(dir, 'a peer misses its address');
}

function unreadable(dir: string, what: string): AppError {
  return new AppError({ code: 'MANAGER_STORE_DAMAGED', message: `${dir}/${fileName} is not readable: ${what}`, hint: 'restore a backup, or let this member join again: flotilla store recover --rejoin' });
}
