import { bytesSize, humanDuration } from '../../base/units.ts';
import { plainText } from './plain-text.ts';
import { formatTable } from './table.ts';

/**
 * What `flotilla store status` prints of the daemon's answer: the alarms first, then who leads, the members, how long things take, and what waits.
 * Distributions come in buckets below powers of two, so a share of them is an upper bound: `≤ 128 µs`. The raw numbers are `--format json`.
 */
export function storeStatusText(answer: unknown): string {
  const status = recordOf(answer);
  const metrics = recordOf(status['metrics']);
  const alarms = listOf(status['alarms']).map((alarm) => `! ${plainText(String(alarm))}\n`);
  return [
    alarms.length === 0 ? 'no alarms\n' : alarms.join(''),
    `\n${summary(status, metrics).map(([name, text]) => `${name.padEnd(12)} ${plainText(text)}\n`).join('')}`,
    `\n${storeMembersText(status['members'])}`,
    `\n${formatTable(['TIME OF', 'P50', 'P99', 'MAX', 'COUNT'], timings.map(([name, field, unit]) => timingRow(name, recordOf(metrics[field]), unit)))}`,
    `\n${formatTable(['WAITING NOW', ''], waiting.map(([name, field, bytes]) => [name, `${count(metrics[field])}${bytes === null ? '' : ` (${size(metrics[bytes])})`}`]))}`,
    `\n${formatTable(['SINCE THE START', ''], counts.map(([name, field]) => [name, count(metrics[field])]))}`,
  ].join('');
}

/** The members of the daemon's answer, as `status` and `members` print them. */
export function storeMembersText(members: unknown): string {
  return formatTable(['MEMBER', 'ADDRESS', 'ROLE', 'REACHABLE', 'LOG TO'], listOf(members).map(memberRow));
}

type Unit = 'us' | 'ms' | 'entries';

const timings: readonly (readonly [name: string, field: string, unit: Unit])[] = [
  ['write and fsync of the log', 'syncUs', 'us'], ['a change, until it is applied', 'commitUs', 'us'], ['applying one entry', 'applyUs', 'us'],
  ['a late event loop', 'stallMs', 'ms'], ['entries in one fsync', 'batchEntries', 'entries'],
];

const waiting: readonly (readonly [name: string, field: string, bytesField: string | null])[] = [
  ['changes, outcome open', 'proposalsPending', null], ['changes, not in the log yet', 'proposalsQueued', null], ['reads', 'readsPending', null],
  ['writes of the log', 'writesQueued', null], ['entries to apply', 'applyQueued', null], ['appends under way to others', 'appendsUnderWay', 'appendBytesUnderWay'],
  ['snapshots being sent', 'snapshotsSending', null], ['log since the snapshot', 'logEntries', 'logBytes'],
];

const counts: readonly (readonly [name: string, field: string])[] = [
  ['changes', 'proposals'], ['outcomes left unknown', 'proposalsUnknown'], ['changes of the leader', 'leaderChanges'],
  ['snapshots made', 'snapshotsMade'], ['snapshots sent', 'snapshotsSent'], ['snapshots installed', 'snapshotsInstalled'],
];

function summary(status: Fields, metrics: Fields): readonly (readonly [string, string])[] {
  const leadership = recordOf(status['leadership']);
  const leader = leadership['leaderId'] === null ? 'nobody leads' : leadership['isLeader'] === true ? 'this member leads' : `${String(leadership['leaderId'])} leads`;
  const age = metrics['snapshotAgeMs'];
  const snapshot = typeof age === 'number' ? `to entry ${count(status['snapshotIndex'])}, ${size(metrics['snapshotBytes'])}, ${humanDuration(age / 1000)} old` : 'none yet';
  return [
    ['member', String(status['memberId'])], ['cluster', String(status['clusterId'])], ['leader', `${leader}, term ${count(leadership['term'])}`],
    ['log', `committed to ${count(status['commitIndex'])}, applied to ${count(status['appliedIndex'])}`], ['snapshot', snapshot],
    ['state', `${count(metrics['objects'])} objects, feature level ${count(status['featureLevel'])}, ${count(metrics['removedMembers'])} members removed so far`],
    ['keys', status['isAutolocked'] === true ? 'locked: an unlock key is asked for at each start' : 'on the disk, beside what they encrypt'],
  ];
}

function memberRow(value: unknown): readonly string[] {
  const member = recordOf(value);
  return [String(member['id']), member['address'] === null || member['address'] === '' ? '-' : String(member['address']), String(member['role']), member['isReachable'] === true ? 'yes' : 'no', count(member['matchIndex'])];
}

function timingRow(name: string, reading: Fields, unit: Unit): readonly string[] {
  const total = numberOf(reading['count']);
  if (total === 0) return [name, '-', '-', '-', '0'];
  const max = numberOf(reading['max']);
  const share = (part: number): string => {
    const bucket = listOf(reading['buckets']).map(recordOf).find((one) => numberOf(one['count']) >= total * part);
    const below = Math.min(max, numberOf(bucket?.['below'] ?? max));
    return `≤ ${amount(below, unit)}`;
  };
  return [name, share(0.5), share(0.99), amount(max, unit), count(total)];
}

function amount(value: number, unit: Unit): string {
  if (unit === 'entries') return count(value);
  const us = unit === 'us' ? value : value * 1000;
  if (us < 1000) return `${us < 10 ? us.toFixed(1) : us.toFixed(0)} µs`;
  return us < 1_000_000 ? `${(us / 1000).toFixed(us < 10_000 ? 1 : 0)} ms` : `${(us / 1_000_000).toFixed(1)} s`;
}

function count(value: unknown): string {
  return numberOf(value).toLocaleString('en-US', { maximumFractionDigits: 0 });
}

function size(value: unknown): string {
  return bytesSize(numberOf(value));
}

type Fields = Readonly<Record<string, unknown>>;

function recordOf(value: unknown): Fields {
  // NOTE: a record of unknowns: each field is checked where it is used.
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
