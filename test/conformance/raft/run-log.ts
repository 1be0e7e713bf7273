import { isAppError } from '../../../src/base/app-error.ts';
import { MemoryLogStorage } from '../../../src/raft/log-storage.ts';
import { RaftLog } from '../../../src/raft/raft-log.ts';
import type { Entry } from '../../../src/raft/types.ts';
import { conf, entries, fields, int, intOr, list, pairs, sameJson, type Fields } from './cases.ts';
import { runLogOp } from './run-rpc.ts';

/** One operation on a log. `snapshot` [index, term] stands before it. Null: agreed. */
export function runLog(one: Fields): string | null {
  const log = logOf(one);
  const expect = one['expect'];
  const wants = (got: unknown): string | null => (sameJson(got, expect) ? null : `wanted ${JSON.stringify(expect)}, got ${JSON.stringify(got)}`);
  switch (String(one['op'])) {
    case 'findConflict':
      return wants(log.findConflict(entries(one['entries'])));
    case 'findConflictByTerm': {
      const found = log.findConflictByTerm(int(one['index'], 'index'), int(one['term'], 'term'));
      if (typeof expect === 'number') return wants(found.index);
      return compare(fields(expect, 'expect'), { index: found.index, term: found.term });
    }
    case 'isUpToDate':
      return wants(log.isUpToDate(int(one['lastIndex'], 'lastIndex'), int(one['term'], 'term')));
    case 'append':
      return append(log, one);
    case 'maybeAppend':
      return runLogOp({ ...one, op: one['args'] ?? one });
    case 'term':
      return wants(log.term(int(one['index'], 'index')) ?? 0);
    case 'firstIndex':
      return wants(log.firstIndex());
    case 'lastIndex':
      return wants(log.lastIndex());
    case 'commitTo':
      return commitTo(log, one);
    case 'slice':
      return wants(JSON.parse(pairs(log.slice(int(one['from'] ?? one['lo'], 'from'), int(one['to'] ?? one['hi'], 'to'), intOr(one['maxBytes'], Infinity)))));
    default:
      return `unknown operation ${JSON.stringify(one['op'])}`;
  }
}

function logOf(one: Fields): RaftLog {
  const snapshot = one['snapshot'] === undefined || one['snapshot'] === null ? [0, 0] : list(one['snapshot'], 'snapshot');
  const index = int(snapshot[0], 'index');
  const storage = new MemoryLogStorage(index === 0 ? null : { index, term: int(snapshot[1], 'term'), conf: conf(['1']) });
  storage.append(entries(one['log']));
  return new RaftLog(storage, Math.max(index, intOr(one['commit'], 0)), index);
}

function append(log: RaftLog, one: Fields): string | null {
  log.append(entries(one['entries']));
  return compare(fields(one['expect'], 'expect'), { lastIndex: log.lastIndex(), log: JSON.parse(pairs(all(log))), unstable: log.stableIndex + 1 });
}

function commitTo(log: RaftLog, one: Fields): string | null {
  let isFatal = false;
  try {
    log.commitTo(int(one['index'] ?? one['to'], 'index'));
  } catch (error) {
    if (!isAppError(error, 'RAFT_LOG_DIVERGED')) throw error;
    isFatal = true;
  }
  const expect = typeof one['expect'] === 'number' ? { commit: one['expect'] } : fields(one['expect'], 'expect');
  return compare(expect, { commit: log.committed, fatal: isFatal, panic: isFatal });
}

function all(log: RaftLog): readonly Entry[] {
  return log.slice(log.firstIndex(), log.lastIndex() + 1, Infinity);
}

function compare(expect: Fields, got: Fields): string | null {
  const wrong = Object.entries(expect).filter(([key, wanted]) => !sameJson(got[key], wanted));
  return wrong.length === 0 ? null : wrong.map(([key, wanted]) => `${key}: wanted ${JSON.stringify(wanted)}, got ${JSON.stringify(got[key])}`).join('; ');
}
