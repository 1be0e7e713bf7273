import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { matchesConstraint, parseConstraint, type ConstraintFacts } from '../../src/cluster/decide/schedule/constraint.ts';
import { casesRoot } from '../conformance/set.ts';

const outsideDir = casesRoot();

type MatchCase = { id: string; constraints: string[]; node: Record<string, never>; expect: boolean };
type ParseCase = { id: string; exprs: string[]; error?: string; expect?: { key: string; op: string; value: string }[] };

function load<T>(name: string): T[] {
  const path = join(outsideDir, 'cases/swarm', name);
  return existsSync(path) ? (JSON.parse(readFileSync(path, 'utf8')) as { cases: T[] }).cases : [];
}

function factsOf(node: { ID?: string; Addr?: string; Role?: string; NodeLabels?: Record<string, string>; Description?: { hostname?: string; platform?: { os?: string; architecture?: string }; engine?: { labels?: Record<string, string> } } }): ConstraintFacts {
  return {
    id: node.ID ?? '',
    hostname: node.Description?.hostname ?? '',
    role: node.Role === 'MANAGER' ? 'manager' : 'worker',
    labels: node.NodeLabels ?? {},
    os: node.Description?.platform?.os ?? '',
    architecture: node.Description?.platform?.architecture ?? '',
    address: node.Addr ?? null,
    engineLabels: node.Description?.engine?.labels ?? {},
  };
}

describe.skipIf(!existsSync(outsideDir))('placement constraints agree with the cases from outside', () => {
  test.for(load<ParseCase>('constraint_parse.json'))('$id is read the same', ({ exprs, error, expect: expected }) => {
    const answers = exprs.map(parseConstraint);
    if (error !== undefined) expect(answers.some((one) => !one.ok && one.message === error)).toBe(true);
    else expect(answers.map((one) => (one.ok ? { key: one.value.key, op: one.value.operator, value: one.value.value } : one.message))).toEqual(expected);
  });

  test.for(load<MatchCase>('constraint_match.json'))('$id matches the same nodes', ({ constraints, node, expect: expected }) => {
    const matches = constraints.map(parseConstraint).every((one) => one.ok && matchesConstraint(one.value, factsOf(node)));
    expect(matches).toBe(expected);
  });
});
