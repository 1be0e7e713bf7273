import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freePorts } from '../free-ports.ts';
import { eventually, makeWorld, type World } from './world.ts';

// Every honoured key of src/model/support.ts, seen from inside a container (Compose specification, services). One project, many services.
let world: World;
let cwd: string;

/** Those behind it are published. */
const port = await freePorts(7);
const sleep = 'command: [sleep, infinity], stop_signal: KILL';
const compose = `
name: language
services:
  environment: {image: busybox, ${sleep}, environment: {PLAIN: "a b", EMPTY: "", PASSED: }, env_file: [one.env]}
  entry: {image: busybox, entrypoint: [echo, entry], command: "one 'two three'", labels: {colour: blue}, annotations: {note: kept}}
  shellform: {image: busybox, command: sh -c 'echo $$0 $$HOSTNAME'}
  who: {image: busybox, ${sleep}, user: "1000:1001", group_add: ["44"], working_dir: /var/spool, hostname: box, domainname: example.test, container_name: who-am-i}
  names: {image: busybox, ${sleep}, dns: [127.0.0.9], dns_search: [corp.test], dns_opt: ["ndots:3"], extra_hosts: ["gate:10.1.2.3", "host.docker.internal:host-gateway"]}
  limits: {image: busybox, ${sleep}, mem_limit: 64m, memswap_limit: 80m, mem_reservation: 32m, cpus: 0.5, cpu_shares: 512, cpuset: "0", pids_limit: 33, oom_score_adj: 321, shm_size: 8m, ulimits: {nofile: {soft: 111, hard: 222}, nproc: 99}}
  deployed: {image: busybox, ${sleep}, deploy: {replicas: 2, resources: {limits: {cpus: "0.25", memory: 48M, pids: 21}}, labels: {a: b}}}
  quota: {image: busybox, ${sleep}, cpu_period: 50000, cpu_quota: 12500}
  caps: {image: busybox, ${sleep}, cap_drop: [ALL], cap_add: [NET_ADMIN], security_opt: [no-new-privileges, seccomp=unconfined], sysctls: {net.core.somaxconn: 77}, read_only: true, tmpfs: ["/run:size=1m,mode=1777", /var/cache]}
  mighty: {image: busybox, ${sleep}, privileged: true}
  plain: {image: busybox, ${sleep}}
  inited: {image: busybox, ${sleep}, init: true}
  device: {image: busybox, ${sleep}, devices: ["/dev/null:/dev/nothing:rw"], device_cgroup_rules: ["c 1:5 rw"]}
  spaces: {image: busybox, ${sleep}, ipc: host, pid: host, uts: host, cgroup: host, userns_mode: host}
  offline: {image: busybox, ${sleep}, network_mode: none}
  onhost: {image: busybox, ${sleep}, network_mode: host}
  beside: {image: busybox, ${sleep}, network_mode: service:who, pid: service:who}
  volumes:
    image: busybox
    ${sleep.replace(', stop_signal', '\n    stop_signal')}
    volumes:
      - data:/data
      - data:/again:ro
      - ./folder:/bound
      - ./folder/file.txt:/file.txt:ro
      - ./made-by-up:/made
      - /anonymous
      - {type: volume, source: data, target: /sub, volume: {subpath: inner}, read_only: true}
      - {type: volume, source: empty, target: /etc/nocopy, volume: {nocopy: true}}
      - {type: tmpfs, target: /scratch, tmpfs: {size: 2m, mode: 0o1700}}
    depends_on: {seed: {condition: service_completed_successfully}}
  seed: {image: busybox, command: ["mkdir -p /data/inner; touch /data/inner/seeded"], entrypoint: [sh, -c], volumes: ["data:/data"]}
  files:
    image: busybox
    ${sleep.replace(', stop_signal', '\n    stop_signal')}
    environment: {X: y}
    secrets: [short, {source: long, target: other, uid: "12", gid: "13", mode: 0400}]
    configs: [short, {source: inline, target: /etc/inline.conf, mode: 0444}]
  left: {image: busybox, ${sleep}, networks: {front: {aliases: [lefty], ipv4_address: 10.252.1.77, priority: 5}, back: {}}, links: ["right:partner"]}
  right: {image: busybox, command: [httpd, -f, -p, "80", -h, /etc], stop_signal: KILL, networks: [front], expose: ["80"], ports: ["${port + 1}:80", "127.0.0.1:${port + 2}:80", "${port + 3}-${port + 4}:80-81", {target: 80, published: "${port + 5}", host_ip: 127.0.0.1, protocol: tcp, mode: host}, "${port + 6}:80/udp"]}
  alone: {image: busybox, ${sleep}, networks: [back]}
  sound: {image: busybox, ${sleep}, healthcheck: {test: "true", interval: 100ms, timeout: 1s, retries: 2, start_period: 1s, start_interval: 50ms}}
  unsound: {image: busybox, ${sleep}, healthcheck: {test: [CMD, "false"], interval: 50ms, retries: 2}}
  unasked: {image: busybox, ${sleep}, healthcheck: {disable: true}}
  thrice: {image: busybox, command: sh -c 'exit 3', restart: "on-failure:2"}
  never: {image: busybox, command: "false", restart: "no"}
  policy: {image: busybox, command: "false", deploy: {restart_policy: {condition: on-failure, max_attempts: 1, delay: 10ms}}}
  hidden: {image: busybox, profiles: [extra]}
  talker: {image: busybox, command: sh -c 'for i in $$(seq 1 2000); do echo line $$i; done; sleep 1000', stop_signal: KILL, logging: {driver: json-file, options: {max-size: 4k, max-file: "2"}}}
  mute: {image: busybox, command: sh -c 'echo nothing; sleep 1000', stop_signal: KILL, logging: {driver: none}}
  gentle: {image: busybox, command: ["sh", "-c", "trap 'echo usr1 came; exit 9' USR1; echo armed; while :; do sleep 0.05; done"], stop_signal: SIGUSR1, stop_grace_period: 5s}
  stubborn: {image: busybox, command: ["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"], stop_grace_period: 200ms}
  wired: {image: busybox, command: cat, stdin_open: true, tty: true, stop_signal: KILL, platform: linux/amd64, pull_policy: missing}
networks:
  front: {ipam: {config: [{subnet: 10.252.1.0/24, gateway: 10.252.1.9}]}, driver_opts: {com.docker.network.driver.mtu: "1400"}}
  back: {internal: true}
volumes: {data: {labels: {kept: "yes"}}, empty: {}}
secrets: {short: {file: short.txt}, long: {environment: SECRET_OF_ENV}}
configs: {short: {file: short.txt}, inline: {content: "port = \${PORT_OF_ENV:-7}"}}
`;

beforeAll(async () => {
  world = await makeWorld();
  cwd = world.project({ 'compose.yaml': compose, 'one.env': 'FROM_FILE=1\n', 'short.txt': 'short\n', 'folder/file.txt': 'bound\n' });
  world.setEnv('SECRET_OF_ENV', 'from-env');
  world.setEnv('PASSED', 'through');
  await world.ok(['compose', 'up', '-d'], { cwd, timeoutMs: 90_000 });
}, 120_000);
afterAll(async () => {
  expect(await world.close()).toEqual([]);
}, 60_000);

async function inside(service: string, line: string): Promise<string> {
  const ran = await world.run(['compose', 'exec', '-T', service, 'sh', '-c', line], { cwd });
  expect(ran.stderr).not.toContain('error ');
  return ran.stdout.trimEnd();
}

type Row = { readonly Service: string; readonly Name: string; readonly State: string; readonly Health: string; readonly ExitCode: number; readonly ID: string; readonly Publishers: readonly { readonly URL: string; readonly PublishedPort: number; readonly TargetPort: number; readonly Protocol: string }[] };
async function row(service: string): Promise<Row> {
  const rows = (await world.ok(['compose', 'ps', '-a', '--format', 'json', service], { cwd })).stdout.trim().split('\n').map((line): Row => JSON.parse(line));
  const [first] = rows;
  if (first === undefined) throw new Error(`no container of ${service}`);
  return first;
}
async function logs(service: string): Promise<string> {
  return (await world.ok(['compose', 'logs', '--no-log-prefix', service], { cwd })).stdout;
}

describe('the process', () => {
  test('environment: values, empty ones, those of the caller and of files', async () => {
    expect(await inside('environment', 'echo "$PLAIN|$EMPTY|${EMPTY-unset}|$PASSED|$FROM_FILE"')).toBe('a b|||through|1');
  });
  test('entrypoint and command, as lists and as lines', async () => {
    expect(await eventually(() => logs('entry'), (text) => text !== '')).toBe('entry one two three\n');
    expect(await eventually(() => logs('shellform'), (text) => text !== '')).toMatch(/^sh [0-9a-f]{12}\n$/);
  });
  test('user, group_add, working_dir, hostname, domainname, container_name', async () => {
    expect(await inside('who', 'id -u; id -g; id -G; pwd; hostname; cat /proc/sys/kernel/domainname; grep box /etc/hosts')).toMatch(/^1000\n1001\n1001 44\n\/var\/spool\nbox\nexample\.test\n\S+\s+box\.example\.test box$/);
    expect((await row('who')).Name).toBe('who-am-i');
  });
  test('init reaps and forwards; without it the command is the first process', async () => {
    expect(await inside('inited', 'tr "\\0" " " </proc/1/cmdline')).toMatch(/docker-init -- sleep infinity/);
    expect(await inside('plain', 'tr "\\0" " " </proc/1/cmdline')).toBe('sleep infinity');
  });
  test('tty and stdin_open', async () => {
    const { ID } = await row('wired');
    const [seen] = JSON.parse((await world.ok(['inspect', ID])).stdout);
    expect(JSON.stringify(seen)).toMatch(/"Tty":\s*true/i);
    expect(await inside('wired', 'readlink /proc/1/fd/0')).toMatch(/^\/dev\/(pts\/0|console)$/);
  });
  test('stop_signal and stop_grace_period', async () => {
    await eventually(() => logs('gentle'), (text) => text.includes('armed'));
    await world.ok(['compose', 'stop', 'gentle'], { cwd });
    expect(await logs('gentle')).toContain('usr1 came');
    expect((await row('gentle')).ExitCode).toBe(9);
    const { wallMs } = await world.ok(['compose', 'stop', 'stubborn'], { cwd });
    // Its own grace, not the ten seconds of a service that names none.
    expect(wallMs).toBeLessThan(9000);
    expect((await row('stubborn')).ExitCode).toBe(137);
  });
});

describe('names and networks', () => {
  test('dns, dns_search, dns_opt, extra_hosts', async () => {
    const resolv = await inside('names', 'cat /etc/resolv.conf');
    expect(resolv).toContain('search corp.test');
    expect(resolv).toContain('ndots:3');
    expect(await inside('names', 'cat /etc/hosts')).toMatch(/10\.1\.2\.3\s+gate[\s\S]*host\.docker\.internal/);
  });
  test('aliases, static addresses, links, priority, mtu; internal leads nowhere', async () => {
    expect(await inside('right', 'nslookup lefty 2>/dev/null | grep -c 10.252.1.77')).toBe('1');
    expect(await inside('left', 'ip -4 addr show eth0')).toMatch(/mtu 1400[\s\S]*10\.252\.1\.77/);
    expect(await inside('left', 'ip route | grep default')).toContain('10.252.1.9');
    expect(await inside('left', 'wget -qO- http://partner/hostname')).toMatch(/^[0-9a-f]{12}$/);
    expect(await inside('alone', 'ip route | grep -c default; wget -T1 -qO- http://10.252.1.77 2>&1 || echo closed')).toMatch(/closed$/);
    expect(await inside('alone', 'nslookup right >/dev/null 2>&1 || echo unknown')).toBe('unknown');
  });
  test('network_mode none, host, service; pid of a service', async () => {
    expect(await inside('offline', 'ls /sys/class/net')).toBe('lo');
    expect(await inside('onhost', 'ls /sys/class/net')).toContain('eth0');
    expect(await inside('beside', 'ip -4 addr show eth0')).toBe(await inside('who', 'ip -4 addr show eth0'));
    expect(await inside('beside', 'ps | grep -c "[s]leep infinity"')).toBe('2');
  });
  test('ports: both families, one address, ranges, long form', async () => {
    const get = (host: string, port: number): Promise<number | string> => new Promise((resolve) => {
      const call = request({ host, port, path: '/hostname', timeout: 2000 }, (answer) => { answer.resume(); resolve(answer.statusCode ?? 0); });
      call.on('error', (error: Error & { code?: string }) => resolve(error.code ?? error.message));
      call.end();
    });
    expect(await get('127.0.0.1', port + 1)).toBe(200);
    expect(await get('::1', port + 1)).toBe(200);
    expect(await get('127.0.0.1', port + 2)).toBe(200);
    expect(await get('::1', port + 2)).toBe('ECONNREFUSED');
    expect(await get('127.0.0.1', port + 3)).toBe(200);
    expect(await get('127.0.0.1', port + 5)).toBe(200);
    const published = (await row('right')).Publishers.map((one) => `${one.URL} ${one.PublishedPort}->${one.TargetPort}/${one.Protocol}`);
    expect(published).toEqual(expect.arrayContaining([`0.0.0.0 ${port + 1}->80/tcp`, `:: ${port + 1}->80/tcp`, `127.0.0.1 ${port + 2}->80/tcp`, `0.0.0.0 ${port + 4}->81/tcp`, `0.0.0.0 ${port + 6}->80/udp`]));
  });
});

describe('limits and rights', () => {
  const cgroup = (file: { readonly v1: string; readonly v2: string }): string => `cat /sys/fs/cgroup/${file.v2} 2>/dev/null || cat /sys/fs/cgroup/${file.v1}`;
  test('memory, cpus, cpuset, pids, oom_score_adj, shm_size, ulimits', async () => {
    expect(await inside('limits', cgroup({ v1: 'memory/memory.limit_in_bytes', v2: 'memory.max' }))).toBe(String(64 * 1024 * 1024));
    expect(await inside('limits', cgroup({ v1: 'pids/pids.max', v2: 'pids.max' }))).toBe('33');
    expect(await inside('limits', cgroup({ v1: 'cpuset/cpuset.cpus', v2: 'cpuset.cpus' }))).toBe('0');
    expect(await inside('limits', 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us)')).toBe('50000 100000');
    expect(await inside('limits', 'cat /proc/1/oom_score_adj; ulimit -Sn; ulimit -Hn; df -k /dev/shm | tail -1 | awk "{print \\$2}"; grep processes /proc/1/limits | awk "{print \\$3}"')).toBe('321\n111\n222\n8192\n99');
  });
  test('deploy.resources and replicas; cpu_quota and cpu_period', async () => {
    expect(await inside('deployed', cgroup({ v1: 'memory/memory.limit_in_bytes', v2: 'memory.max' }))).toBe(String(48 * 1024 * 1024));
    expect(await inside('deployed', cgroup({ v1: 'pids/pids.max', v2: 'pids.max' }))).toBe('21');
    expect((await world.ok(['compose', 'ps', '-q', 'deployed'], { cwd })).stdout.trim().split('\n')).toHaveLength(2);
    expect(await inside('quota', 'cat /sys/fs/cgroup/cpu.max 2>/dev/null || echo $(cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu/cpu.cfs_period_us)')).toBe('12500 50000');
  });
  test('capabilities, no-new-privileges, seccomp, sysctls, read_only, tmpfs, privileged', async () => {
    expect(await inside('caps', 'grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/1/status | tr -d "\\t"')).toBe('CapEff:0000000000001000\nNoNewPrivs:1\nSeccomp:0');
    expect(await inside('plain', 'grep -E "CapEff|NoNewPrivs|Seccomp:" /proc/1/status | tr -d "\\t"')).toBe('CapEff:00000000800405fb\nNoNewPrivs:0\nSeccomp:2');
    expect(await inside('caps', 'cat /proc/sys/net/core/somaxconn; touch /x 2>&1; touch /run/y /var/cache/z && echo written; df -k /run | tail -1 | awk "{print \\$2}"')).toMatch(/^77\n.*Read-only.*\nwritten\n1024$/);
    expect(await inside('mighty', 'grep CapEff /proc/1/status | tr -d "\\t"; ls /dev | wc -l')).toMatch(new RegExp(`^CapEff:${/CapEff:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1] ?? ''}\n\\d{2,}$`));
  });
  test('devices; the namespaces of the host', async () => {
    expect(await inside('device', 'echo x > /dev/nothing && ls -l /dev/nothing')).toMatch(/^crw.*1,\s+3/);
    const kinds = ['ipc', 'uts', 'pid', 'user'];
    const here = kinds.map((kind) => readlinkSync(`/proc/self/ns/${kind}`));
    const line = `for one in ${kinds.join(' ')}; do readlink /proc/self/ns/$one; done`;
    expect((await inside('spaces', line)).split('\n')).toEqual(here);
    expect((await inside('plain', line)).split('\n').filter((one) => here.includes(one))).toEqual([here[3]]);
    expect(await inside('onhost', 'readlink /proc/self/ns/net')).toBe(readlinkSync('/proc/self/ns/net'));
  });
});

describe('volumes and files', () => {
  test('named, read-only, bound, made, anonymous, subpath, tmpfs', async () => {
    expect(await inside('volumes', 'echo 1 > /data/one; cat /again/one; touch /again/x 2>&1; cat /bound/file.txt /file.txt; touch /file.txt 2>&1; touch /made/x && ls /sub')).toMatch(/^1\n.*Read-only.*\nbound\nbound\n.*Read-only.*\nseeded$/);
    expect(await inside('volumes', 'touch /anonymous/here /scratch/x; stat -c %a /scratch; df -k /scratch | tail -1 | awk "{print \\$2}"; touch /sub/x 2>&1')).toMatch(/^1700\n2048\n.*Read-only/);
  });
  test('secrets and configs, with owner and mode', async () => {
    expect(await inside('files', 'cd /run/secrets; cat short other; stat -c "%a %u %g" short other; cat /short /etc/inline.conf; stat -c %a /etc/inline.conf; grep -c " /run/secrets/other .*tmpfs" /proc/mounts')).toBe('short\nfrom-env444 0 0\n400 12 13\nshort\nport = 7444\n1');
  });
});

describe('life', () => {
  test('health checks: sound, unsound, switched off', async () => {
    await eventually(() => row('sound'), (one) => one.Health === 'healthy');
    await eventually(() => row('unsound'), (one) => one.Health === 'unhealthy');
    expect((await row('unasked')).Health).toBe('');
  });
  test('restart policies: on-failure with a number, no, deploy.restart_policy', async () => {
    const restarts = async (service: string): Promise<string> => {
      const { ID } = await row(service);
      return (await world.ok(['inspect', ID])).stdout;
    };
    const three = await eventually(() => restarts('thrice'), (text) => /"RestartCount": 2/.test(text) && /"exited"/.test(text), 15_000);
    expect(three).toMatch(/"ExitCode": 3/);
    expect(await restarts('never')).toMatch(/"RestartCount": 0/);
    await eventually(() => restarts('policy'), (text) => /"RestartCount": 1/.test(text) && /"exited"/.test(text), 15_000);
  });
  test('logging: bounded files, and none at all; profiles leave services out; labels and annotations', async () => {
    await eventually(() => logs('talker'), (text) => text.includes('line 2000'));
    expect((await logs('talker')).length).toBeLessThan(9000);
    expect((await world.run(['compose', 'logs', '--no-log-prefix', 'mute'], { cwd })).stdout).toBe('');
    expect((await world.ok(['compose', 'ps', '-a', '--services'], { cwd })).stdout).not.toContain('hidden');
    const { ID } = await row('entry');
    const text = (await world.ok(['inspect', ID])).stdout;
    expect(text).toContain('"colour": "blue"');
    expect(text).toContain('com.docker.compose.project');
  });
});

describe('what is kept when a container is made anew', () => {
  test('anonymous volumes go to the successor, unless --renew-anon-volumes; `down -v` takes them', async () => {
    const folder = world.project({ 'compose.yaml': `services: {one: {image: busybox, ${sleep}, volumes: [/kept]}}` });
    const at = (line: string): Promise<string> => world.ok(['compose', 'exec', '-T', 'one', 'sh', '-c', line], { cwd: folder }).then((ran) => ran.stdout.trimEnd());
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    await at('echo 1 > /kept/file');
    writeFileSync(join(folder, 'compose.yaml'), `services: {one: {image: busybox, ${sleep}, volumes: [/kept], environment: {A: b}}}`);
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    expect(await at('echo $A; cat /kept/file')).toBe('b\n1');
    await world.ok(['compose', 'up', '-d', '--force-recreate', '-V'], { cwd: folder });
    expect(await at('ls /kept')).toBe('');
    await world.ok(['compose', 'down', '-v'], { cwd: folder });
  });
  test('a network with other settings takes its containers along', async () => {
    const text = (subnet: string): string => `services: {one: {image: busybox, ${sleep}, networks: [n]}}\nnetworks: {n: {ipam: {config: [{subnet: ${subnet}}]}}}`;
    const folder = world.project({ 'compose.yaml': text('10.252.2.0/24') });
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    writeFileSync(join(folder, 'compose.yaml'), text('10.252.3.0/24'));
    await world.ok(['compose', 'up', '-d'], { cwd: folder });
    expect((await world.ok(['compose', 'exec', '-T', 'one', 'ip', '-4', 'addr'], { cwd: folder })).stdout).toContain('10.252.3.');
    await world.ok(['compose', 'down'], { cwd: folder });
  });
});
