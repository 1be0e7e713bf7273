import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import type { Project, Service } from '../../src/model/project.ts';
import { composeSchema } from '../../src/spec/generated/compose-schema.js';
import { resolveSchema } from '../../src/spec/schema/schema.ts';
import type { Schema } from '../../src/spec/schema/schema.ts';
import { allRows, checkTarget } from '../../src/spec/targets/check.ts';
import { supportPage } from '../../src/spec/targets/print.ts';
import { serviceKeys } from '../../src/spec/targets/service-keys.ts';

describe('the tables are whole', () => {
  test('every key of a service and of the file has a row, and only one', () => {
    const rows = allRows().map((row) => row.key);
    expect(rows.filter((key, index) => rows.indexOf(key) !== index)).toEqual([]);
    const service = Object.keys(composeSchema.definitions?.['service']?.properties ?? {});
    expect(service.filter((key) => !serviceKeys.some((row) => row.key === key))).toEqual([]);
    expect(Object.keys(composeSchema.properties ?? {}).filter((key) => !rows.includes(key))).toEqual([]);
  });

  test('every row names a key that exists', () => {
    expect(allRows().map((row) => row.key).filter((key) => !exists(key.split('.'), composeSchema))).toEqual([]);
  });

  test('docs/compose-support.md is what the tables say (make docs writes it)', () => {
    expect(readFileSync(new URL('../../docs/compose-support.md', import.meta.url), 'utf8')).toBe(supportPage());
  });
});

describe('check', () => {
  const base: Service = { command: null, entrypoint: null };
  const check = (service: Partial<Service>, target: 'laptop' | 'cluster', rest: Partial<Project> = {}): string[] =>
    checkTarget({ name: 'x', ...rest, services: { web: { ...base, ...service } } }, target).map((one) => `${one.kind} ${one.path.join('.')}`);

  test.for([
    ['a plain service', { image: 'nginx', ports: [{ target: 80, mode: 'ingress' }] }, [], []],
    ['what is false or empty asks for nothing', { oom_kill_disable: false, build: {}, models: {}, logging: {} }, [], []],
    ['a build', { build: { context: '.' } }, ['refused services.web.build'], ['refused services.web.build']],
    ['a bind mount', { volumes: [{ type: 'bind', source: '/a', target: '/b' }] }, [], ['bound services.web.volumes.0.type']],
    ['a mount of another type', { volumes: [{ type: 'npipe' }] }, ['refused services.web.volumes.0.type'], ['refused services.web.volumes.0.type']],
    ['the host\'s network', { network_mode: 'host' }, [], ['bound services.web.network_mode']],
    ['an odd network mode', { network_mode: 'container:x' }, ['refused services.web.network_mode'], ['refused services.web.network_mode']],
    ['one bad security option among good ones', { security_opt: ['no-new-privileges', 'apparmor=x'] }, ['refused services.web.security_opt'], ['refused services.web.security_opt']],
    ['a name and three copies', { container_name: 'x', scale: 3 }, ['refused services.web.container_name'], ['bound services.web.container_name', 'refused services.web.container_name']],
    ['placement', { deploy: { resources: {}, placement: { constraints: ['node.role==manager'] } } }, ['refused services.web.deploy.placement'], ['refused services.web.deploy.placement']],
  ] as const)('%s', ([, service, laptop, cluster]) => {
    expect(check(service, 'laptop')).toEqual(laptop);
    expect(check(service, 'cluster')).toEqual(cluster);
  });

  test('top-level keys are checked too', () => {
    expect(check({}, 'laptop', { networks: { n: { driver: 'macvlan', enable_ipv4: false, ipam: {} } }, volumes: { v: { driver_opts: { type: 'nfs' } } } })).toEqual(['refused networks.n.driver', 'refused networks.n.enable_ipv4', 'refused volumes.v.driver_opts']);
  });
});

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
