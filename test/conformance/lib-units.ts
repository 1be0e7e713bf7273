import { bytesSize, fromHumanSize, humanDuration, humanSize, parseUlimit, ramInBytes } from '../../src/base/units.ts';
import { judge } from './set.ts';
import type { Case, CaseResult } from './set.ts';

/** Runs cases/lib/units.json. */
export function runSet(cases: readonly Case[]): CaseResult[] {
  return cases.map((one) => judge(one, outcomeOf(one)));
}

function outcomeOf(one: Case): Parameters<typeof judge>[1] {
  const value = one['value'];
  switch (one['fn']) {
    case 'FromHumanSize':
      return fromHumanSize(String(value));
    case 'RAMInBytes':
      return ramInBytes(String(value));
    case 'HumanSize':
      return { ok: true, value: humanSize(Number(value)) };
    case 'BytesSize':
      return { ok: true, value: bytesSize(Number(value)) };
    case 'HumanDuration':
      return { ok: true, value: humanDuration(Number(one['seconds'])) };
    case 'ParseUlimit': {
      const limit = parseUlimit(String(value));
      return limit.ok ? { ok: true, value: { Name: limit.value.name, Soft: limit.value.soft, Hard: limit.value.hard } } : limit;
    }
    default:
      return { ok: false, message: `unknown function ${String(one['fn'])}` };
  }
}
