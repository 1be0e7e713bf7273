import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { checkSupport, pathText, supportDiagnostics, supportRows } from '../../src/model/support/check.ts';
import type { Project, Service } from '../../src/model/project.ts';
import { composeSchema } from '../../src/spec/generated/compose-schema.js';
import { resolveSchema } from '../../src/spec/schema/schema.ts';
import type { Schema } from '../../src/spec/schema/schema.ts';
import { supportPage } from '../../src/spec/targets/print.ts';

describe('the table is whole', () => {
  const keys = supportRows.map((row) => row.key);

  test('no key has two rows', () => {
    expect(keys.filter((key, index) => keys.indexOf(key) !== index)).toEqual([]);
  });

  test('the keys of a service and of the file are those of schemas/compose.json', () => {
    const service = Object.keys(composeSchema.definitions?.['service']?.properties ?? {});
    expect(service.length).toBe(93);
    expect(keys.filter((key) => /^services\.\*\.[^.]+$/.test(key)).map((key) => key.slice('services.*.'.length)).sort()).toEqual(service.sort());
    expect(keys.filter((key) => !key.includes('.')).sort()).toEqual(Object.keys(composeSchema.properties ?? {}).sort());
  });

  test('every row names a key that exists', () => {
    expect(keys.filter((key) => !exists(key.split('.'), composeSchema))).toEqual([]);
  });

  test('every named key below one that is honoured has a row of its own', () => {
    const settled = new Set(supportRows.filter((row) => row.laptop.kind === 'refused' || row.laptop.kind === 'resolved' || row.laptop.kind === 'unheeded').map((row) => row.key));
    const ruled = new Set(['services.*.build']);
    const isCovered = (key: string): boolean => keys.includes(key) || [...settled, ...ruled].some((above) => key.startsWith(`${above}.`));
    expect(namedKeys(composeSchema, '').filter((key) => !isCovered(key))).toEqual([]);
  });

  test('every refusal says why and what to do', () => {
    for (const row of supportRows) {
      for (const verdict of [row.laptop, row.cluster]) {
        if (verdict.kind !== 'refused') continue;
        expect(verdict.reason.length, row.key).toBeGreaterThan(10);
        expect(verdict.hint.length, row.key).toBeGreaterThan(5);
      }
    }
  });

  test('docs/compose-support.md is what the table says (make docs writes it)', () => {
    expect(readFileSync(new URL('../../docs/compose-support.md', import.meta.url), 'utf8')).toBe(supportPage());
  });
});

describe('check', () => {
  const base: Service = { command: null, entrypoint: null };
  const check = (service: Partial<Service>, target: 'laptop' | 'cluster', rest: Partial<Project> = {}): string[] =>
    checkSupport({ name: 'x', ...rest, services: { web: { ...base, ...service } } }, { target }).map((one) => `${one.verdict.kind} ${pathText(one.path).replace('services.web.', '')}`);

  test.for([
    ['a plain service', { image: 'nginx', ports: [{ target: 80, mode: 'ingress' }] }, [], []],
    ['what is false or empty asks for nothing', { oom_kill_disable: false, build: {}, models: {}, logging: {} }, [], []],
    ['a build without an image', { build: { context: '.' } }, ['refused build'], ['refused build']],
    ['a bind mount', { volumes: [{ type: 'bind', source: '/a', target: '/b' }] }, [], ['bound volumes[0].type']],
    ['a bind that is to be read-only all the way down and is not at its top', { volumes: [{ type: 'bind', source: '/a', target: '/b', bind: { recursive: 'readonly' } }] }, ['refused volumes[0].bind'], ['bound volumes[0].type', 'refused volumes[0].bind']],
    ['a bind that is read-only all the way down', { volumes: [{ type: 'bind', source: '/a', target: '/b', read_only: true, bind: { recursive: 'readonly' } }] }, [], ['bound volumes[0].type']],
    ['a mount of another type', { volumes: [{ type: 'npipe' }] }, ['refused volumes[0].type'], ['refused volumes[0].type']],
    ['the host\'s network', { network_mode: 'host' }, [], ['bound network_mode']],
    ['the network of a container', { network_mode: 'container:x' }, [], ['refused network_mode']],
    ['one bad security option among good ones', { security_opt: ['no-new-privileges', 'apparmor=x'] }, ['refused security_opt[1]'], ['refused security_opt[1]']],
    ['processors by number', { cpuset: '0-1' }, [], ['bound cpuset']],
    ['a mode of the cluster', { deploy: { mode: 'global-job', resources: {}, placement: {} } }, ['refused deploy.mode'], []],
    ['an update of the cluster', { deploy: { update_config: { order: 'start-first' }, resources: {}, placement: {} } }, ['unheeded deploy.update_config'], []],
  ] as const)('%s', ([, service, laptop, cluster]) => {
    expect(check(service, 'laptop')).toEqual(laptop);
    expect(check(service, 'cluster')).toEqual(cluster);
  });

  test('top-level keys are checked too', () => {
    const rest: Partial<Project> = { networks: { n: { driver: 'macvlan', enable_ipv4: false, ipam: {} } }, volumes: { v: { driver: 'nfs' } }, models: { m: { model: 'ai/x' } } };
    expect(check({}, 'laptop', rest)).toEqual(['refused networks.n.driver', 'refused networks.n.enable_ipv4', 'refused volumes.v.driver', 'refused models']);
    expect(check({}, 'cluster', rest)).toContain('bound volumes.v');
  });

  test('a finding names its object, its reason and what to do', () => {
    const found = supportDiagnostics(checkSupport({ name: 'x', services: { web: { ...base, gpus: [{ count: -1 }], cpuset: '0' } } }, { target: 'cluster' }));
    expect(found.map((one) => `${one.severity} ${one.code} ${one.path ?? ''}: ${one.message} (${one.hint ?? ''})`)).toEqual([
      'error CLUSTER_KEY_REFUSED services.web.gpus: service web: gpus is not supported: GPUs are not handed to containers yet (pass the device files by `devices`)',
      'warning CLUSTER_KEY_BOUND services.web.cpuset: service web: cpuset ties the service to a node: a node has its own processors: the numbers must mean the same everywhere ()',
    ]);
  });
});

/** Every key that the schema names, as a row would: names that a user chooses are `*`. */
function namedKeys(schema: Schema, prefix: string): string[] {
  const resolved = resolveSchema(schema, composeSchema);
  const found: string[] = [];
  for (const branch of resolved.oneOf ?? []) found.push(...namedKeys(branch, prefix));
  for (const [key, inner] of Object.entries(resolved.properties ?? {})) found.push(`${prefix}${key}`, ...namedKeys(inner, `${prefix}${key}.`));
  for (const [pattern, inner] of Object.entries(resolved.patternProperties ?? {})) if (!pattern.startsWith('^x-')) found.push(...namedKeys(inner, `${prefix}*.`));
  if (resolved.items !== undefined) found.push(...namedKeys(resolved.items, `${prefix}[].`));
  return [...new Set(found)];
}

function exists(steps: readonly string[], schema: Schema): boolean {
  const resolved = resolveSchema(schema, composeSchema);
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  if (resolved.oneOf !== undefined) return resolved.oneOf.some((branch) => exists(steps, branch));
  if (step === '[]') return resolved.items !== undefined && exists(rest, resolved.items);
  if (step === '*') return Object.entries(resolved.patternProperties ?? {}).some(([pattern, inner]) => !pattern.startsWith('^x-') && exists(rest, inner));
  const inner = resolved.properties?.[step];
  return inner !== undefined && exists(rest, inner);
}
