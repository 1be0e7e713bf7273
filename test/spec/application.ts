import { fc } from '../property.ts';

/** Values of many keys in each of their forms, as one would write them. */
const forms: Readonly<Record<string, readonly string[]>> = {
  annotations: ['["a=1"]', '{a: 1, b: null}'],
  build: ['.', '{context: ./d, args: [A, B=1], labels: [a=b], ssh: [default, k=./key]}', '{dockerfile_inline: FROM x}', '{context: ., extra_hosts: ["a:1.1.1.1"], shm_size: 1g, ulimits: {nofile: 3}}'],
  command: ['echo hi', '[a, "b c"]', '[]', '"a $$HOME"', '"line\\nbreak"'],
  entrypoint: ['/x y', '[a]'],
  cap_add: ['[ALL]'],
  configs: ['[c]', '[{source: c, target: /x, mode: "0440"}]'],
  // The same as in deploy: two values would contradict each other.
  cpus: ['0.5', '"0.5"', '.5'],
  depends_on: ['[b]', '{b: {condition: service_healthy, restart: true}}', '{b: {condition: service_completed_successfully, required: false}}'],
  deploy: ['{replicas: 2}', '{resources: {limits: {cpus: 0.5, memory: 1g}}, restart_policy: {condition: any, window: 1m}}', '{update_config: {parallelism: 2, delay: 1s, order: start-first}}'],
  devices: ['["/a:/b:rwm"]', '[/a]'],
  dns: ['1.1.1.1', '[1.1.1.1, 8.8.8.8]'],
  environment: ['{A: 1, B: null, C: "x"}', '[A=1, B, C=]', '{A: 1.50, B: true, D: 1e6}', '{Y: "yes", N: "null", Z: "0440", T: "2001-01-01"}'],
  expose: ['[80, "90"]'],
  extra_hosts: ['["a:1.2.3.4"]', '{a: [1.1.1.1, 2.2.2.2]}', '["a=::1"]'],
  gpus: ['all', '[{driver: nvidia, count: 1}]'],
  healthcheck: ['{test: curl x, interval: 1s}', '{test: [CMD, x], retries: 3, start_period: 1m, timeout: 1500ms}', '{disable: true}'],
  labels: ['{a: 1, b: null}', '[a=1, b]', '["a=b=c"]', '{x-key: kept, "10": ten, "9": nine}'],
  logging: ['{driver: json-file, options: {a: 1}}'],
  mem_limit: ['1g', '1024m', '1073741824'],
  networks: ['[n]', '{n: {aliases: [x, y], priority: 3}}', '[]'],
  ports: ['[80, "81:82"]', '["8000-8002:80-82"]', '["127.0.0.1:80:80/udp"]', '[{target: 80, published: "81", mode: host, app_protocol: http}]'],
  profiles: ['[p]'],
  secrets: ['[s]', '[{source: s, mode: 0440, target: /x}]'],
  stop_grace_period: ['10s', '1m30s'],
  sysctls: ['{a.b: 1}', '[a.b=1]'],
  tmpfs: ['/t', '[/t, "/u:size=1m"]'],
  tty: ['true', 'yes', '"on"'],
  ulimits: ['{nofile: 5}', '{nofile: {soft: 1, hard: 2}, core: 0}'],
  volumes: ['["v1:/v"]', '["./x:/y:ro"]', '[{type: volume, source: v1, target: /v, volume: {nocopy: true}}]', '[{type: bind, source: ./x, target: /v, bind: {create_host_path: false}}]', '["/data"]', '[{type: tmpfs, target: /t2, tmpfs: {size: 1m, mode: 0700}}]'],
  'x-more': ['{a: [1, 1.5, true, null, "x"]}'],
};

const service = fc.uniqueArray(fc.constantFrom(...Object.keys(forms)), { maxLength: 7 }).chain((keys) =>
  fc.tuple(...keys.map((key) => fc.constantFrom(...(forms[key] ?? [])).map((value) => `    ${key}: ${value}\n`))).map((lines) => `    image: img\n${lines.join('')}`),
);

/** A valid application of two services that use everything that is defined beside them. */
export const anyApplication: fc.Arbitrary<string> = fc.tuple(service, service).map(
  ([a, b]) => `services:\n  a:\n${a}  b:\n${b.replace(/    (?:depends_on|profiles): .*\n/g, '')}networks:\n  n: {labels: [q=r]}\nvolumes:\n  v1: {labels: {a: 1}}\nsecrets:\n  s: {file: ./s}\nconfigs:\n  c: {content: "x $$y"}\n`,
);

/** Another file that is laid over such an application. */
export const anyOverride: fc.Arbitrary<string> = service.map((a) => `services:\n  a:\n${a.replace(/    profiles: .*\n/g, '')}`);
