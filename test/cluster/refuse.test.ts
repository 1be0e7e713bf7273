import { describe, expect, test } from 'vitest';
import { refuse } from '../../src/cluster/lower/refuse.ts';
import type { Project, Service } from '../../src/model/project.ts';
import { service } from './world.ts';

function refused(fields: Partial<Service>, more: Partial<Project> = {}): (string | undefined)[] {
  return refuse({ name: 'shop', services: { web: service(fields) }, ...more }, ['web']).filter((one) => one.severity === 'error').map((one) => one.path?.replace('services.web.', ''));
}

describe('values decide where a key is honoured in part', () => {
  test.for([
    [{ network_mode: 'host' }, []],
    [{ network_mode: 'service:db' }, []],
    [{ network_mode: 'weave' }, ['network_mode']],
    [{ pid: 'host' }, []],
    [{ pid: 'sideways' }, ['pid']],
    [{ security_opt: ['no-new-privileges:true', 'seccomp=unconfined', 'apparmor=unconfined', 'label:disable'] }, []],
    [{ security_opt: ['no-new-privileges', 'apparmor=mine'] }, ['security_opt[1]']],
    [{ logging: { driver: 'json-file', options: { 'max-size': '10m' } } }, []],
    [{ logging: { driver: 'syslog', options: { facility: 'daemon' } } }, ['logging.driver']],
    [{ logging: { options: { 'max-size': 'much' } } }, ['logging.options']],
    [{ logging: { options: { speed: '9' } } }, ['logging.options']],
    [{ logging: { options: { mode: 'blocking', compress: 'false', 'max-file': '3' } } }, []],
    [{ pull_policy: 'daily' }, ['pull_policy']],
    [{ pull_policy: 'build' }, ['pull_policy']],
    [{ pull_policy: 'if_not_present' }, []],
    [{ ipc: 'service:db' }, ['ipc']],
    [{ ipc: 'none' }, ['ipc']],
    [{ ipc: 'shareable' }, []],
    [{ cgroup: 'other' }, ['cgroup']],
    [{ restart: 'on-failure:3' }, []],
    [{ dns: [''] }, ['dns[0]']],
    [{ ports: [{ target: 80, published: '65535' }, { target: 81, published: '1-9' }, { target: 82, published: '0' }, { target: 83 }] }, []],
    [{ ports: [{ target: 80, published: '70000' }, { target: 81, published: '9-1' }, { target: 82, published: '65530-65536' }, { target: 83, published: '0-9' }] }, ['ports[0].published', 'ports[1].published', 'ports[2].published', 'ports[3].published']],
    [{ restart: 'sometimes' }, ['restart']],
    [{ dns: ['1.1.1.1', 'dns.example'] }, ['dns[1]']],
    [{ annotations: { 'run.oci.hooks.stdout': '/x' } }, ['annotations']],
    [{ ulimits: { nofile: 1024, files: 3 } }, ['ulimits']],
    [{ sysctls: { 'net.core.somaxconn': '1024', 'kernel.shmmax': '1' } }, []],
    [{ sysctls: { 'vm.swappiness': '1' } }, ['sysctls']],
    [{ sysctls: { 'net.core.somaxconn': '1024' }, network_mode: 'host' }, ['sysctls']],
    [{ device_cgroup_rules: ['c 1:3 rwm', 'x'] }, ['device_cgroup_rules[1]']],
    [{ stop_signal: 'SIGRTMIN+3' }, []],
    [{ stop_signal: 'int' }, []],
    [{ stop_signal: 'SIGSTOPP' }, ['stop_signal']],
    [{ mem_limit: '6291455' }, ['mem_limit']],
    [{ mem_limit: '6291456' }, []],
    [{ cpus: 1, cpu_quota: 5 }, ['cpus']],
    [{ oom_kill_disable: true }, ['oom_kill_disable']],
    [{ secrets: [{ source: 'a', uid: 'root' }] }, ['secrets[0].uid']],
    [{ volumes: [{ type: 'volume', target: '/y', bind: { selinux: 'z' } }] }, []],
    [{ volumes: [{ type: 'volume', target: '/y', volume: { labels: { a: 'b' } } }] }, ['volumes[0].volume.labels']],
    [{ volumes: [{ type: 'bind', source: '/x', target: '/y', bind: { recursive: 'readonly' } }] }, ['volumes[0].bind']],
    [{ volumes: [{ type: 'bind', source: '/x', target: '/y', read_only: true, bind: { recursive: 'readonly', propagation: 'rslave' } }] }, ['volumes[0].bind']],
    [{ volumes: [{ type: 'bind', source: '/x', target: '/y', read_only: true, bind: { recursive: 'readonly', propagation: 'rprivate' } }] }, []],
    [{ volumes: [{ type: 'volume', target: 'rel/path' }, { type: 'volume', target: '/' }, { type: 'volume', target: '/./' }, { type: 'volume', target: '/a' }] }, ['volumes[0].target', 'volumes[1].target', 'volumes[2].target']],
    [{ tmpfs: ['run', '/run:size=1m', '/'] }, ['tmpfs[0]', 'tmpfs[2]']],
    [{ working_dir: 'app' }, ['working_dir']],
    [{ hostname: 'a\n1.2.3.4 bank' }, ['hostname']],
    [{ hostname: 'h'.repeat(65) }, ['hostname']],
    [{ hostname: 'h'.repeat(64), domainname: 'example.test' }, []],
    [{ domainname: 'a b' }, ['domainname']],
    [{ domainname: 'a#b' }, ['domainname']],
    [{ extra_hosts: ['a=10.0.0.1', 'b=host-gateway', 'c=::1'] }, []],
    [{ extra_hosts: ['a\tb=10.0.0.1', 'b=10.0.0.1\n1.2.3.4 bank', 'c=somewhere', 'd='] }, ['extra_hosts[0]', 'extra_hosts[1]', 'extra_hosts[2]', 'extra_hosts[3]']],
    [{ dns_search: ['corp.test', '.', 'a\nnameserver 6.6.6.6'] }, ['dns_search[2]']],
    [{ dns_opt: ['ndots:2', 'a\u2028b'] }, ['dns_opt[1]']],
    [{ networks: { a: { aliases: ['fine', 'not fine', 'del\u007f'] } } }, ['networks.a.aliases[1]', 'networks.a.aliases[2]']],
    [{ links: ['db:other', 'db:o\nther'] }, ['links[1]']],
    [{ ports: [{ target: 80 }], network_mode: 'none' }, ['ports']],
    [{ ports: [{ target: 80 }], network_mode: 'host' }, []],
    [{ ports: [{ target: 80, host_ip: 'localhost' }] }, ['ports[0].host_ip']],
    [{ mac_address: '03:42:ac:11:00:02' }, ['mac_address']],
    [{ networks: { a: { interface_name: 'lan0' }, b: { interface_name: 'lan0' } } }, ['networks.a.interface_name', 'networks.b.interface_name']],
    [{ networks: { a: { interface_name: 'a/b' } } }, ['networks.a.interface_name']],
    [{ deploy: { resources: {}, placement: {}, endpoint_mode: 'anycast' } }, ['deploy.endpoint_mode']],
    [{ build: { context: '.' } }, []],
    [{ volumes: [{ type: 'image', source: 'x', target: '/y' }] }, ['volumes[0].type']],
    [{ ports: [{ target: 80, protocol: 'sctp' }] }, ['ports[0].protocol']],
    [{ networks: { front: { mac_address: '02:42:ac:11:00:02' } } }, []],
    [{ deploy: { mode: 'global', resources: {}, placement: {} } }, []],
    [{ deploy: { mode: 'global', replicas: 2, resources: {}, placement: {} } }, ['deploy.mode']],
    [{ deploy: { mode: 'global-job', resources: {}, placement: {} } }, ['deploy.mode']],
    [{ deploy: { resources: { reservations: { devices: [{ count: 1 }] } }, placement: {} } }, ['deploy.resources.reservations.devices']],
    [{ privileged: false, gpus: [], storage_opt: {} }, []],
  ] as const)('%j → %j', ([fields, expected]) => {
    expect(refused(fields)).toEqual(expected);
  });

  test('a service without an image is refused for its build', () => {
    const { image: _image, ...rest } = service({ build: { context: '.' } });
    expect(refuse({ name: 'shop', services: { web: rest } }, ['web']).map((one) => one.path)).toEqual(['services.web.build']);
  });

  test('an image that is fetched instead of being built is told, not refused', () => {
    const found = refuse({ name: 'shop', services: { web: service({ build: { context: '.' } }) } }, ['web']);
    expect(found.map((one) => `${one.severity} ${one.code} ${one.message}`)).toEqual(['warning CLUSTER_KEY_UNHEEDED service web: build has no effect: images are not built yet; busybox is fetched']);
  });

  const deploy = { resources: {}, placement: {} };
  test.for([
    [{ deploy: { ...deploy, update_config: { parallelism: 2 } } }, []],
    [{ scale: 3, deploy: { ...deploy, update_config: { parallelism: 2 } } }, ['deploy.update_config']],
    [{ scale: 3, deploy: { ...deploy, update_config: { parallelism: 0 } } }, []],
    [{ deploy: { ...deploy, update_config: { order: 'start-first' } } }, ['deploy.update_config']],
    [{ deploy: { ...deploy, update_config: { failure_action: 'rollback' } } }, ['deploy.update_config']],
    [{ deploy: { ...deploy, endpoint_mode: 'vip', labels: { a: 'b' }, rollback_config: { parallelism: 1 } } }, ['deploy.endpoint_mode', 'deploy.labels', 'deploy.rollback_config']],
    [{ logging: { options: { tag: '{{.Name}}' } } }, ['logging.options']],
    [{ ports: [{ target: 80 }], network_mode: 'host' }, ['ports']],
    [{ volumes: [{ type: 'volume', target: '/y', bind: { propagation: 'rslave' } }] }, ['volumes[0].bind']],
  ] as const)('%j runs, and %j is told to have no effect', ([fields, expected]) => {
    const found = refuse({ name: 'shop', services: { web: service(fields) } }, ['web']);
    expect(found.map((one) => `${one.severity} ${one.code} ${one.path ?? ''}`)).toEqual(expected.map((path) => `warning CLUSTER_KEY_UNHEEDED services.web.${path}`));
  });

  test.for([
    [{ ipam: {}, enable_ipv4: false }, ['enable_ipv4']],
    [{ ipam: {}, driver_opts: { 'com.docker.network.bridge.enable_icc': 'false' } }, ['driver_opts']],
    [{ ipam: {}, driver_opts: { 'com.docker.network.bridge.name': 'br9' } }, []],
    [{ ipam: {}, driver_opts: { 'com.docker.network.bridge.name': 'br9', other: '1' } }, ['driver_opts']],
    [{ ipam: {}, driver_opts: { 'com.docker.network.driver.mtu': '67' } }, ['driver_opts']],
    [{ ipam: {}, driver_opts: { 'com.docker.network.driver.mtu': '68' } }, []],
    [{ ipam: { config: [{ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }] } }, ['ipam.config']],
    [{ ipam: { config: [{ subnet: '10.1.0.0/24' }, { subnet: 'fd00::/64' }] } }, []],
    [{ ipam: { config: [{ gateway: '10.1.0.1' }] } }, ['ipam.config']],
    [{ ipam: { config: [{ subnet: 'fd00::/64', ip_range: 'fd00::/80' }] } }, ['ipam.config']],
    [{ ipam: { options: { a: 'b' } } }, ['ipam.options']],
  ] as const)('network %j → %j', ([front, expected]) => {
    expect(refused({ networks: { front: null } }, { networks: { front } }).map((path) => path?.replace('networks.front.', ''))).toEqual(expected);
  });

  test.for([[{ driver: 'nfs' }, ['volumes.data.driver']], [{ driver_opts: { size: '1g' } }, ['volumes.data.driver_opts']], [{ driver_opts: { type: 'nfs', o: 'addr=1', device: ':/x' } }, []]] as const)('volume %j → %j', ([data, expected]) => {
    expect(refused({ volumes: [{ type: 'volume', source: 'data', target: '/d' }] }, { volumes: { data } })).toEqual(expected);
  });

  test('a network nobody of the selected is on is not looked at', () => {
    const networks = { front: { driver: 'macvlan', ipam: {} }, other: { driver: 'ipvlan', ipam: {} } };
    expect(refused({ networks: { front: null } }, { networks })).toEqual(['networks.front.driver']);
  });
});
