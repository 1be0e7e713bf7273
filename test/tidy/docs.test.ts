import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { errorsPage } from '../../build/errors-page.ts';
import { programVersion } from '../../src/base/version.ts';
import { mayImport, root, sourceFiles, walk } from './rooms.ts';

const read = (path: string): string => readFileSync(join(root, path), 'utf8');

/** Every page that people read: at the top, in docs, in the rooms, beside examples. */
const pages = [...readdirSync(root).filter((name) => name.endsWith('.md')), ...['docs', 'src', 'examples'].flatMap((dir) => walk(join(root, dir)).filter((path) => path.endsWith('.md')).map((path) => relative(root, path)))];

describe('each room has a README', () => {
  const rooms = readdirSync(join(root, 'src'));
  test.for(rooms)('%s', (room) => {
    expect(existsSync(join(root, 'src', room, 'README.md')), 'src/<room>/README.md: what it is, data in and out, its words, one picture, what it must never do').toBe(true);
    const lines = read(`src/${room}/README.md`).trimEnd().split('\n');
    expect(lines[0]).toMatch(new RegExp(`^# ${room}: `));
    expect(lines.length).toBeLessThanOrEqual(60);
  });
});

describe('pages say what the code says', () => {
  test('docs/architecture.md has the table of rooms that test/tidy/rooms.ts checks', () => {
    const rows = Array.from(read('docs/architecture.md').matchAll(/^\| ([a-z]+) \| [^|]+ \| ([^|]+) \|$/gm), (row): [string, string[]] => [row[1] ?? '', (row[2] ?? '').split(/[ –]+/).filter((one) => one !== '')]);
    expect(Object.fromEntries(rows.filter(([room]) => room !== 'room'))).toEqual(mayImport);
  });

  test('docs/errors.md is what the table of codes says: make docs writes it', () => {
    expect(read('docs/errors.md')).toBe(errorsPage());
  });

  test('docs/configuration.md names every key that the daemon reads', () => {
    const lists = Array.from(read('src/daemon/config.ts').matchAll(/refuseUnknown\(\w+, \[([^\]]*)\], '([^']*)'/g));
    const keys = lists.flatMap(([, list = '', prefix = '']) => Array.from(list.matchAll(/'([^']+)'/g), (key) => `${prefix}${key[1] ?? ''}`));
    expect(keys.length).toBeGreaterThan(3);
    const page = read('docs/configuration.md');
    expect(keys.filter((key) => !page.includes(`| \`${key}\` |`))).toEqual([]);
  });

  test('docs/configuration.md names every variable that is read', () => {
    const names = new Set(sourceFiles().flatMap((file) => file.text.match(/(?<=\[')(FLOTILLA|COMPOSE|DOCKER)_[A-Z_]+(?='\])|(?<=get\(')COMPOSE_[A-Z_]+(?='\))/g) ?? []));
    expect(names.size).toBeGreaterThan(10);
    const page = read('docs/configuration.md');
    expect([...names].filter((name) => !page.includes(`\`${name}\``)).sort()).toEqual([]);
  });

  test('package.json, the lock, the program and the changelog name one version', () => {
    const version: unknown = JSON.parse(read('package.json')).version;
    expect(version).toBe(programVersion);
    expect(JSON.parse(read('package-lock.json')).version).toBe(programVersion);
    expect(read('CHANGELOG.md')).toContain(`\n## ${programVersion}\n`);
  });

  test('every target of make that a page names is in the Makefile', () => {
    const targets = new Set(Array.from(read('Makefile').matchAll(/^([a-z0-9-]+):/gm), (match) => match[1] ?? ''));
    const named = pages.flatMap((page) => Array.from(read(page).matchAll(/(?:`|^ {4}(?:sudo )?)make ([a-z][a-z0-9-]*)/gm), (match) => ({ page, target: match[1] ?? '' })));
    expect(named.length).toBeGreaterThan(10);
    expect(named.filter(({ target }) => !targets.has(target))).toEqual([]);
  });
});

describe('links and places', () => {
  test('a link to a file leads to one', () => {
    const broken = pages.flatMap((page) =>
      Array.from(read(page).matchAll(/\]\((?!https?:|#)([^)#\s]+)/g), (match) => match[1] ?? '')
        .filter((target) => !existsSync(join(root, dirname(page), target)))
        .map((target) => `${page} → ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test('a file of the source that a page names exists', () => {
    const broken = pages.flatMap((page) =>
      Array.from(read(page).matchAll(/(?<![\w/.-])((?:src|test|build|scripts|schemas|examples|packaging)\/[\w./-]*\w\.(?:ts|json|sh|service|md|yaml))\b/g), (match) => match[1] ?? '')
        .filter((path) => !existsSync(join(root, path)))
        .map((path) => `${page} → ${path}`),
    );
    expect(broken).toEqual([]);
  });

  test('a file that a page names by its room exists', () => {
    const rooms = Object.keys(mayImport).join('|');
    const broken = pages.flatMap((page) =>
      Array.from(read(page).matchAll(new RegExp(`(?<![\\w/.-])((?:${rooms})/[\\w/-]+\\.ts)\\b`, 'g')), (match) => match[1] ?? '')
        .filter((path) => !existsSync(join(root, 'src', path)))
        .map((path) => `${page} → src/${path}`),
    );
    expect(broken).toEqual([]);
  });

  test('no page names a place of the machine it was written on', () => {
    expect(pages.filter((page) => /\/work\/|\/home\/\w|\/Users\/|C:\\/.test(read(page)))).toEqual([]);
  });

  test('decisions are numbered once, titled by their number, and listed', () => {
    const names = readdirSync(join(root, 'docs/decisions')).filter((name) => name !== 'README.md');
    expect(names.filter((name) => !/^\d{4}-[a-z0-9-]+\.md$/.test(name))).toEqual([]);
    const numbers = names.map((name) => name.slice(0, 4));
    expect(numbers.filter((number, index) => numbers.indexOf(number) !== index)).toEqual([]);
    expect(names.filter((name) => !read(`docs/decisions/${name}`).startsWith(`# ${name.slice(0, 4)}`))).toEqual([]);
    const index = read('docs/decisions/README.md');
    const titleOf = (name: string): string => (read(`docs/decisions/${name}`).split('\n')[0] ?? '').replace(/^# \d{4}:? /, '');
    expect(names.filter((name) => !index.includes(`| [${name.slice(0, 4)}](${name}) | ${titleOf(name)} |`)).map((name) => `docs/decisions/README.md lacks: | [${name.slice(0, 4)}](${name}) | ${titleOf(name)} |`)).toEqual([]);
  });
});

describe('hints can be pasted', () => {
  const composeCommands = (path: string): string[] => Array.from(read(path).matchAll(/\.command\(['`](\w+)|\['(\w+)', '[A-Z]\w+ service/g), (match) => match[1] ?? match[2] ?? '');
  const top = new Set(Array.from(read('src/cli/run.ts').matchAll(/^ {2}(\w+): \{ summary:/gm), (match) => match[1] ?? '').concat('daemon', 'help'));
  const compose = new Set([...composeCommands('src/cli/compose/program.ts'), ...composeCommands('src/cli/compose-config.ts'), ...composeCommands('src/cli/compose-config-flags.ts'), 'stop', 'restart', 'config']);

  test('the readers of commands find them', () => {
    expect([...top]).toEqual(expect.arrayContaining(['compose', 'ps', 'doctor']));
    expect([...compose]).toEqual(expect.arrayContaining(['up', 'down', 'logs', 'exec', 'ls', 'config']));
  });

  test('a command that a hint or a page names exists', () => {
    const named = [
      ...sourceFiles().flatMap((file) => Array.from(file.text.matchAll(/hint: [^\n]*?(?<![\w/.-])flotilla ([a-z]+)(?: ([a-z]+))?/g), (match) => ({ where: file.path, words: [match[1] ?? '', match[2] ?? ''] }))),
      ...pages.flatMap((page) => Array.from(read(page).matchAll(/(?:`|^ {4})(?:sudo )?flotilla ([a-z]+)(?: ([a-z]+))?/gm), (match) => ({ where: page, words: [match[1] ?? '', match[2] ?? ''] }))),
    ];
    expect(named.length).toBeGreaterThan(30);
    const isThere = ([first = '', second = '']: readonly string[]): boolean => top.has(first) && (first !== 'compose' || second === '' || compose.has(second));
    expect(named.filter(({ words }) => !isThere(words)).map(({ where, words }) => `${where}: flotilla ${words.join(' ')}`)).toEqual([]);
  });
});
