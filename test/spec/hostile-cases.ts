/** Files that are made to hurt, each with what must come of it: the codes of the errors, or `loaded`. */
export type Hostile = { readonly files: Readonly<Record<string, string | Uint8Array>>; readonly want: 'loaded' | 'any' | readonly string[] };

const head = 'services:\n  web:\n    image: nginx\n';

function lines(count: number, line: (index: number) => string): string {
  return Array.from({ length: count }, (_, index) => line(index)).join('\n');
}

function one(text: string | Uint8Array, want: Hostile['want']): Hostile {
  return { files: { 'compose.yaml': text }, want };
}

export const hostileCases: Readonly<Record<string, () => Hostile>> = {
  'a billion laughs': () => one(`x-0: &a0 [lol]\n${lines(12, (i) => `x-${i + 1}: &a${i + 1} [${`*a${i}, `.repeat(10)}]`)}\n${head}`, 'any'),
  'a billion laughs in maps': () => one(`x-0: &a0 {k: v}\n${lines(12, (i) => `x-${i + 1}: &a${i + 1} {${Array.from({ length: 10 }, (_, k) => `k${k}: *a${i}`).join(', ')}}`)}\n${head}`, 'any'),
  'a big anchor used often': () => one(`x-a: &a [${'x, '.repeat(5_000)}]\nx-b:\n${lines(5_000, () => '  - *a')}\n${head}`, 'any'),
  'an alias inside its own anchor': () => one(`x-a: &a [*a]\n${head}`, 'any'),
  'a map that merges itself': () => one(`x-a: &a\n  k: v\n  <<: *a\n${head}`, 'any'),
  '100,000 open brackets': () => one(`x-a: ${'['.repeat(100_000)}\n${head}`, 'any'),
  '100,000 brackets, open and closed': () => one(`x-a: ${'['.repeat(100_000)}${']'.repeat(100_000)}\n${head}`, 'any'),
  '100,000 braces': () => one(`x-a: ${'{a: '.repeat(100_000)}\n${head}`, 'any'),
  '100,000 dashes': () => one(`x-a:\n  ${'- '.repeat(100_000)}a\n${head}`, 'any'),
  '2,000 levels of indent': () => one(`x-a:\n${lines(2_000, (i) => `${' '.repeat(i + 1)}k:`)}\n${head}`, 'any'),
  '50 MB in one text': () => one(`x-a: "${'x'.repeat(50_000_000)}"\n${head}`, 'any'),
  '50 MB of comments': () => one(`${'# a line of comment that goes on for a while\n'.repeat(1_100_000)}${head}`, 'any'),
  '50 MB of keys': () => one(`x-a:\n${'  key: value\n'.repeat(4_000_000)}${head}`, 'any'),
  '50 MB of blanks': () => one(`${head}${' '.repeat(50_000_000)}\n`, 'any'),
  'more than 50 MB': () => one('x'.repeat(53_000_000), ['SPEC_FILE_TOO_LARGE']),
  'every service merges a big map': () => one(`x-a: &a\n${lines(500, (i) => `  x-k${i}: v`)}\nservices:\n${lines(1_000, (i) => `  s${i}:\n    <<: *a\n    image: x`)}\n`, 'any'),
  'a chain of merges that grows': () => one(`x-0: &a0 {k: v}\n${lines(2_000, (i) => `x-${i + 1}: &a${i + 1}\n  <<: *a${i}\n  k${i}: v`)}\n${head}`, 'any'),
  '100,000 equal keys': () => one(`x-a:\n${lines(100_000, () => '  k: v')}\n${head}`, 'any'),
  '10,000 unknown keys': () => one(`${head}${lines(10_000, (i) => `    bad${i}: v`)}\n`, 'any'),
  'a key of 1 MB': () => one(`${head}    ${'k'.repeat(1_000_000)}: v\n`, 'any'),
  'names of the prototype': () =>
    one(
      `services:\n  __proto__:\n    image: nginx\n    environment: {__proto__: polluted, constructor: a, toString: b}\n    labels: {__proto__: polluted}\n    depends_on: [constructor]\n    networks: {__proto__: {aliases: [x]}}\n  constructor:\n    image: nginx\n    <<: {__proto__: {polluted: yes}}\nnetworks:\n  __proto__: {}\nx-a: {__proto__: {polluted: true}}\n__proto__: {polluted: true}\n`,
      'any',
    ),
  'a chain of 2,000 services': () => one(`services:\n${lines(2_000, (i) => `  s${i}: {image: x${i === 0 ? '' : `, depends_on: [s${i - 1}]`}}`)}\n`, 'any'),
  'a circle of 1,000 services': () => one(`services:\n${lines(1_000, (i) => `  s${i}: {image: x, depends_on: [s${(i + 1) % 1_000}]}`)}\n`, ['GRAPH_CYCLE']),
  'a knot of 60 services': () => one(`services:\n${lines(60, (i) => `  s${i}: {image: x, depends_on: [${Array.from({ length: 60 }, (_, k) => k).filter((k) => k !== i).map((k) => `s${k}`).join(', ')}]}`)}\n`, ['GRAPH_CYCLE']),
  'a chain of 1,000 extends': () => one(`services:\n${lines(1_000, (i) => `  s${i}: ${i === 0 ? '{image: x}' : `{extends: s${i - 1}}`}`)}\n`, 'loaded'),
  'a chain of 3,000 extends, the last first': () => one(`services:\n${lines(3_000, (i) => `  s${i}: ${i === 2_999 ? '{image: x}' : `{extends: s${i + 1}}`}`)}\n`, ['SPEC_TOO_DEEP']),
  'a circle of extends': () => one('services:\n  a: {extends: b}\n  b: {extends: c}\n  c: {extends: a}\n', ['SPEC_EXTENDS_CYCLE']),
  'a file that includes itself': () => one(`include: [compose.yaml]\n${head}`, ['SPEC_INCLUDE_CYCLE']),
  'files that include each other twice, 20 deep': () => ({
    files: Object.fromEntries([['compose.yaml', `include: [a0.yaml, a0.yaml]\n${head}`], ...Array.from({ length: 20 }, (_, i): [string, string] => [`a${i}.yaml`, i === 19 ? 'services: {}\n' : `include: [a${i + 1}.yaml, a${i + 1}.yaml]\n`])]),
    want: 'any',
  }),
  'ports from 10,000 to 20,000': () => one(`${head}    ports: ["10000-20000:10000-20000/udp"]\n`, 'loaded'),
  'all ports, ten times': () => one(`${head}    ports:\n${lines(10, (i) => `      - "127.0.0.${i + 1}:1-65535:1-65535"`)}\n`, 'any'),
  '20,000 ports': () => one(`${head}    ports:\n${lines(20_000, (i) => `      - "${i + 1}:80"`)}\n`, 'any'),
  'a variable nested 100,000 times': () => one(`${head}    command: "${'${A:-'.repeat(100_000)}${'}'.repeat(100_000)}"\n`, ['SPEC_INTERPOLATION']),
  '200,000 variables in one text': () => one(`${head}    command: "${'${A:-x}'.repeat(200_000)}"\n`, 'any'),
  'a duration of a million digits': () => one(`${head}    stop_grace_period: "${'9'.repeat(1_000_000)}s"\n    mem_limit: "${'9'.repeat(1_000_000)}x"\n`, 'any'),
  'numbers of a million digits': () => one(`${head}    environment:\n      A: ${'9'.repeat(1_000_000)}\n      B: 0x${'f'.repeat(1_000_000)}\n      C: 1.${'9'.repeat(1_000_000)}\n      D: ${'1_'.repeat(500_000)}1\n      E: 1e${'9'.repeat(1_000_000)}\n      F: 2001-01-01${' '.repeat(1_000_000)}x\n`, 'any'),
  'a name of a megabyte in every place': () => one(`services:\n  ${'n'.repeat(1_000)}:\n    image: "${'i'.repeat(1_000_000)}"\n    depends_on: ["${'d'.repeat(1_000_000)}"]\n    networks: ["${'m'.repeat(1_000_000)}"]\n    extra_hosts: ["${'h'.repeat(1_000_000)}=${','.repeat(100_000)}"]\n    ports: ["${'1'.repeat(1_000_000)}:80", "[${':'.repeat(1_000_000)}]:80:80"]\n`, 'any'),
  'ten thousand hosts with commas': () => one(`${head}    extra_hosts:\n${lines(10_000, (i) => `      - "h${i}=1,2,3,4"`)}\n`, 'any'),
  'a regular expression\'s nightmare in every place': () => one(`${head}    hostname: "${'a'.repeat(100_000)}!"\n    user: "${' '.repeat(100_000)}x"\n    build: "${'git@'.repeat(50_000)}"\n    env_file: "${'../'.repeat(100_000)}x"\n    volumes: ["${'./'.repeat(100_000)}:/b", "/a:${'/..'.repeat(100_000)}"]\n    pull_policy: "every_${'1w'.repeat(100_000)}!"\n    container_name: "${'-'.repeat(100_000)}"\n`, 'any'),
  'a volume of a million colons': () => one(`${head}    volumes: ["${'a:'.repeat(500_000)}b"]\n`, 'any'),
  'a command of a million quotes': () => one(`${head}    command: "${"''".repeat(500_000)}"\n`, 'any'),
  'an env file with a long run of blanks': () => ({ files: { 'compose.yaml': `${head}    env_file: a.env\n`, 'a.env': `A=${' '.repeat(1_000_000)}x\nB${' '.repeat(1_000_000)}=x\n` }, want: 'any' }),
  'an env file of 20 MB': () => ({ files: { 'compose.yaml': `${head}    env_file: a.env\n`, 'a.env': 'KEY="value"\n'.repeat(1_700_000) }, want: 'any' }),
  'an env file with an unclosed quote': () => ({ files: { 'compose.yaml': `${head}    env_file: a.env\n`, 'a.env': `A="${'x\n'.repeat(1_000_000)}` }, want: ['SPEC_ENV_FILE'] }),
  'bytes that are no UTF-8': () => one(Uint8Array.from([...new TextEncoder().encode(head), 0x20, 0xff, 0xfe, 0xc3, 0x28, 0x0a]), 'any'),
  'a mark of UTF-8, and line breaks of Windows': () => one(`\ufeff${head.replaceAll('\n', '\r\n')}`, 'loaded'),
  'line breaks of old Macs': () => one(head.replaceAll('\n', '\r'), 'any'),
  'UTF-16': () => one(new Uint8Array(Buffer.from(`\ufeff${head}`, 'utf16le')), 'any'),
  'zero bytes': () => one(`${head}    hostname: "a\0b"\n`, 'any'),
  'nothing': () => one('', 'any'),
  'null for everything': () => one('services:\nnetworks:\nvolumes:\nsecrets:\nconfigs:\nname:\n', 'any'),
  'two documents': () => one(`${head}---\n${head}`, 'any'),
};
