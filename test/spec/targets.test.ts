import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Project, Service } from '../../src/model/project.ts';
import { serviceKeySupport, serviceSubkeySupport, topLevelKeySupport } from '../../src/model/support.ts';
import { valueRules } from '../../src/model/support-values.ts';
import { composeSchema } from '../../src/spec/generated/compose-schema.js';
import { resolveSchema } from '../../src/spec/schema/schema.ts';
import type { Schema } from '../../src/spec/schema/schema.ts';
import { checkTarget } from '../../src/spec/targets/check.ts';
import { supportPage } from '../../src/spec/targets/print.ts';
import { ties } from '../../src/spec/targets/ties.ts';

const service = composeSchema.definitions?.['service'] ?? {};

describe('the tables are whole', () => {
  test('every key of a service and of the file has an answer', () => {
    expect(Object.keys(service.properties ?? {}).filter((key) => !Object.hasOwn(serviceKeySupport, key))).toEqual([]);
    expect(Object.keys(composeSchema.properties ?? {}).filter((key) => !Object.hasOwn(topLevelKeySupport, key))).toEqual([]);
  });

  test('every answer is for a key that exists', () => {
    expect(Object.keys({ ...serviceKeySupport, ...serviceSubkeySupport, ...ties }).filter((key) => !exists(key.split('.'), service))).toEqual([]);
    expect(Object.keys(topLevelKeySupport).filter((key) => !exists(key.split('.'), composeSchema))).toEqual([]);
  });

  test('every key that is honoured in part has a rule for its values, and no other has', () => {
    const partly = Object.entries({ ...serviceKeySupport, ...serviceSubkeySupport }).concat(Object.entries(topLevelKeySupport)).filter(([, support]) => support.kind === 'partly').map(([key]) => key);
    expect(Object.keys(valueRules).sort()).toEqual([...new Set(partly)].sort());
  });

  test('docs/compose-support.md is what the tables say (make docs writes it)', () => {
    expect(readFileSync(new URL('../../docs/compose-support.md', import.meta.url), 'utf8')).toBe(supportPage());
  });
});

describe('check', () => {
  const base: Service = { command: null, entrypoint: null };
  const check = (fields: Partial<Service>, target: 'laptop' | 'cluster', rest: Partial<Project> = {}): string[] =>
    checkTarget({ name: 'x', ...rest, services: { web: { ...base, ...fields } } }, target).map((one) => `${one.kind} ${one.path.join('.')}`);

  test.for([
    ['a plain service', { image: 'nginx', ports: [{ target: 80, mode: 'ingress' }] }, [], []],
    ['what is false or empty asks for nothing', { oom_kill_disable: false, build: {}, models: {}, logging: {} }, [], []],
    ['a build without an image', { build: { context: '.' } }, ['refused services.web.build'], ['refused services.web.build']],
    ['a build beside an image', { image: 'nginx', build: { context: '.' } }, [], []],
    ['a bind mount', { volumes: [{ type: 'bind', source: '/a', target: '/b' }] }, [], ['bound services.web.volumes.0.type']],
    ['a mount of another type', { volumes: [{ type: 'npipe' }] }, ['refused services.web.volumes'], ['refused services.web.volumes']],
    ['the host\'s network', { network_mode: 'host' }, [], ['bound services.web.network_mode']],
    ['an odd network mode', { network_mode: 'weave' }, ['refused services.web.network_mode'], ['refused services.web.network_mode']],
    ['one bad security option among good ones', { security_opt: ['no-new-privileges', 'apparmor=x'] }, ['refused services.web.security_opt'], ['refused services.web.security_opt']],
    ['a fixed name', { container_name: 'x' }, [], ['bound services.web.container_name']],
    ['a policy by age', { image: 'nginx', pull_policy: 'daily' }, ['refused services.web.pull_policy'], ['refused services.web.pull_policy']],
    ['placement', { deploy: { resources: {}, placement: { constraints: ['node.role==manager'] } } }, [], []],
    ['what has no effect', { deploy: { resources: {}, placement: {}, update_config: { parallelism: 2 } } }, ['unheeded services.web.deploy.update_config'], ['unheeded services.web.deploy.update_config']],
  ] as const)('%s', ([, fields, laptop, cluster]) => {
    expect(check(fields, 'laptop')).toEqual(laptop);
    expect(check(fields, 'cluster')).toEqual(cluster);
  });

  test('top-level objects that a service uses are checked too', () => {
    const found = check({ networks: { n: null }, volumes: [{ type: 'volume', source: 'v', target: '/v' }] }, 'laptop', { networks: { n: { driver: 'macvlan', enable_ipv4: false, ipam: {} }, unused: { driver: 'macvlan', ipam: {} } }, volumes: { v: { driver: 'nfs' } } });
    expect(found).toEqual(['refused networks.n.driver', 'refused networks.n.enable_ipv4', 'refused volumes.v.driver']);
  });
});

/** `*` is any name or index. */
function exists(steps: readonly string[], schema: Schema): boolean {
  const resolved = resolveSchema(schema, composeSchema);
  const [step, ...rest] = steps;
  if (step === undefined) return true;
  if (resolved.oneOf !== undefined) return resolved.oneOf.some((branch) => exists(steps, branch));
  if (step === '*' && resolved.items !== undefined) return exists(rest, resolved.items);
  if (step === '*') return Object.entries(resolved.patternProperties ?? {}).some(([pattern, inner]) => !pattern.startsWith('^x-') && exists(rest, inner));
  const inner = resolved.properties?.[step];
  return inner !== undefined && exists(rest, inner);
}
