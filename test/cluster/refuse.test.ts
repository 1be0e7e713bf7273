import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { refuse } from '../../src/cluster/lower/refuse.ts';
import { serviceKeySupport } from '../../src/model/support.ts';
import type { Project, Service } from '../../src/model/project.ts';
import { service } from './world.ts';

function refused(fields: Partial<Service>, more: Partial<Project> = {}): (string | undefined)[] {
  return refuse({ name: 'shop', services: { web: service(fields) }, ...more }, ['web']).map((one) => one.path?.replace('services.web.', ''));
}

test('every key of a service in the published schema has an answer, and no other key has', () => {
  const schema: { definitions: { service: { properties: Record<string, unknown> } } } = JSON.parse(readFileSync(join(import.meta.dirname, '../../schemas/compose.json'), 'utf8'));
  expect(Object.keys(serviceKeySupport).sort()).toEqual(Object.keys(schema.definitions.service.properties).sort());
});

test('every refusal says why and what to do', () => {
  for (const [key, support] of Object.entries(serviceKeySupport)) {
    if (support.kind !== 'refused' && support.kind !== 'partly') continue;
    expect(support.reason.length, key).toBeGreaterThan(10);
    expect(support.hint.length, key).toBeGreaterThan(5);
  }
});

describe('values decide where a key is honoured in part', () => {
  test.for([
    [{ network_mode: 'host' }, []],
    [{ network_mode: 'service:db' }, []],
    [{ network_mode: 'weave' }, ['network_mode']],
    [{ pid: 'host' }, []],
    [{ pid: 'sideways' }, ['pid']],
    [{ security_opt: ['no-new-privileges:true', 'seccomp=unconfined', 'apparmor=unconfined', 'label:disable'] }, []],
    [{ security_opt: ['apparmor=mine'] }, ['security_opt']],
    [{ logging: { driver: 'json-file', options: { 'max-size': '10m' } } }, []],
    [{ logging: { driver: 'syslog' } }, ['logging']],
    [{ build: { context: '.' } }, []],
    [{ volumes: [{ type: 'image', source: 'x', target: '/y' }] }, ['volumes']],
    [{ ports: [{ target: 80, protocol: 'sctp' }] }, ['ports[0].protocol']],
    [{ networks: { front: { mac_address: '02:42:ac:11:00:02' } } }, ['networks.front.mac_address']],
    [{ deploy: { mode: 'global', resources: {}, placement: {} } }, ['deploy.mode']],
    [{ deploy: { resources: { reservations: { devices: [{ count: 1 }] } }, placement: {} } }, ['deploy.resources.reservations.devices']],
    [{ privileged: false, gpus: [], storage_opt: {} }, []],
  ] as const)('%j → %j', ([fields, expected]) => {
    expect(refused(fields)).toEqual(expected);
  });

  test('a service without an image is refused for its build', () => {
    const { image: _image, ...rest } = service({ build: { context: '.' } });
    expect(refuse({ name: 'shop', services: { web: rest } }, ['web']).map((one) => one.path)).toEqual(['services.web.build']);
  });

  test('a network nobody of the selected is on is not looked at', () => {
    const networks = { front: { driver: 'macvlan', ipam: {} }, other: { driver: 'ipvlan', ipam: {} } };
    expect(refused({ networks: { front: null } }, { networks })).toEqual(['networks.front.driver']);
  });
});
