import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { check } from './checker.ts';
import type { Operation } from './checker.ts';
import { registerModel, textModel } from './models.ts';
import type { RegisterInput, RegisterOutput, TextInput } from './models.ts';

const dir = join(process.env['CASES'] ?? join(import.meta.dirname, '../../../shared/conformance'), 'linearizability');

/** Jepsen's log of a register: `INFO jepsen.util - 3 :ok :cas [3 0]`. A read that failed says nothing; another that timed out may have happened. */
function parseRegister(text: string): Operation<RegisterInput, RegisterOutput>[] {
  const operations: { input: RegisterInput; output: RegisterOutput | null; key: string; calledAt: number; answeredAt: number }[] = [];
  const open = new Map<string, (typeof operations)[number]>();
  let at = 0;
  for (const line of text.split('\n')) {
    const match = /jepsen\.util - (\d+)\s+:(\w+)\s+:(\w+)\s+(.*)$/.exec(line);
    if (match === null) continue;
    const [, process = '', type = '', verb = '', value = ''] = match;
    at += 1;
    if (type === 'invoke') {
      const operation = { key: '', input: inputOf(verb, value), output: null, calledAt: at, answeredAt: Infinity };
      operations.push(operation);
      open.set(process, operation);
      continue;
    }
    const operation = open.get(process);
    if (operation === undefined) continue;
    open.delete(process);
    operation.answeredAt = at;
    if (type === 'ok') operation.output = verb === 'read' ? { kind: 'read', value: value.trim() === 'nil' ? null : value.trim() } : { kind: 'done', isOk: true };
    else if (type === 'fail' && verb === 'cas') operation.output = { kind: 'done', isOk: false };
  }
  return operations;
}

function inputOf(verb: string, value: string): RegisterInput {
  if (verb === 'read') return { kind: 'read' };
  if (verb === 'write') return { kind: 'write', value: value.trim() };
  const [from = '', to = ''] = value.replace(/[[\]]/g, '').trim().split(/\s+/);
  return { kind: 'cas', from, to };
}

function parseTexts(text: string): Operation<TextInput, string>[] {
  const operations: { input: TextInput; output: string | null; key: string; calledAt: number; answeredAt: number }[] = [];
  const open = new Map<string, (typeof operations)[number]>();
  let at = 0;
  for (const line of text.split('\n')) {
    const match = /:process (\d+), :type :(\w+), :f :(\w+), :key "(.*?)", :value (?:"(.*)"|nil)\}/.exec(line);
    if (match === null) continue;
    const [, process = '', type = '', verb = '', key = '', value = ''] = match;
    at += 1;
    if (type === 'invoke') {
      const operation = { key, input: verb === 'get' ? { kind: 'get' as const } : { kind: verb === 'put' ? ('put' as const) : ('append' as const), value }, output: null, calledAt: at, answeredAt: Infinity };
      operations.push(operation);
      open.set(process, operation);
    } else {
      const operation = open.get(process);
      if (operation !== undefined) Object.assign(operation, { output: value, answeredAt: at });
    }
  }
  return operations;
}

describe.skipIf(!existsSync(dir))('the checker agrees with known verdicts (porcupine, Jepsen)', () => {
  const expected: { cases: { file: string; model: string; linearizable: boolean }[] } = existsSync(dir) ? JSON.parse(readFileSync(join(dir, 'expected.json'), 'utf8')) : { cases: [] };
  test.for(expected.cases)('$file is linearizable: $linearizable', ({ file, model, linearizable }) => {
    const text = readFileSync(join(dir, file), 'utf8');
    const verdict = model.startsWith('cas-register') ? check(registerModel, parseRegister(text)) : check(textModel, parseTexts(text));
    expect(verdict.isLinearizable).toBe(linearizable);
  });
});

describe('small histories', () => {
  const write = (value: string, calledAt: number, answeredAt: number): Operation<RegisterInput, RegisterOutput> => ({ key: 'k', input: { kind: 'write', value }, output: { kind: 'done', isOk: true }, calledAt, answeredAt });
  const read = (value: string | null, calledAt: number, answeredAt: number): Operation<RegisterInput, RegisterOutput> => ({ key: 'k', input: { kind: 'read' }, output: { kind: 'read', value }, calledAt, answeredAt });

  test('a read after an acknowledged write sees it', () => {
    expect(check(registerModel, [write('a', 1, 2), read('a', 3, 4)]).isLinearizable).toBe(true);
    expect(check(registerModel, [write('a', 1, 2), read(null, 3, 4)])).toEqual({ isLinearizable: false, badKey: 'k' });
  });

  test('a stale read of a deposed leader is found (etcd#741)', () => {
    expect(check(registerModel, [write('a', 1, 2), write('b', 3, 4), read('b', 5, 6), read('a', 7, 8)]).isLinearizable).toBe(false);
  });

  test('a write without an answer may have happened, or not, but not come and go', () => {
    const lost = { ...write('b', 3, Infinity), output: null };
    expect(check(registerModel, [write('a', 1, 2), lost, read('a', 4, 5), read('b', 6, 7)]).isLinearizable).toBe(true);
    expect(check(registerModel, [write('a', 1, 2), lost, read('b', 4, 5), read('a', 6, 7)]).isLinearizable).toBe(false);
  });
});
