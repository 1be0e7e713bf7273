import { describe, expect, test } from 'vitest';
import { supportRows } from '../../src/model/support/check.ts';
import type { Project } from '../../src/model/project.ts';
import { loadFiles } from './load-files.ts';

/** What model/support calls settled by the loader: the key is gone from what is loaded, and its effect stands elsewhere in it. */
const files = { 'web.env': 'A=from-file\n', 'web.labels': 'b=from-file\n', 'base.yaml': 'services: {base: {image: base, user: "7"}}\n', 'more.yaml': 'services: {extra: {image: extra}}\n' };

function loaded(text: string, profiles: readonly string[] = []): Project {
  const result = loadFiles({ 'compose.yaml': text, ...files }, { profiles, projectName: { name: 'shop', isExplicit: true }, phases: { discardEnvFiles: true, dropUnused: true } });
  if (result.kind !== 'loaded') throw new Error(JSON.stringify(result));
  return result.project;
}

type Row = { readonly key: string; readonly text: string; readonly left: (project: Project) => unknown; readonly effect: (project: Project) => unknown; readonly expected: unknown };

const service = (name: string) => (project: Project) => project.services[name];
const rows: readonly Row[] = [
  { key: 'services.*.env_file', text: 'services: {web: {image: x, env_file: web.env}}', left: (one) => service('web')(one)?.env_file, effect: (one) => service('web')(one)?.environment, expected: { A: 'from-file' } },
  { key: 'services.*.label_file', text: 'services: {web: {image: x, label_file: web.labels}}', left: (one) => service('web')(one)?.label_file, effect: (one) => service('web')(one)?.labels, expected: { b: 'from-file' } },
  { key: 'services.*.extends', text: 'services: {web: {extends: {file: base.yaml, service: base}}}', left: (one) => service('web')(one)?.extends, effect: (one) => [service('web')(one)?.image, service('web')(one)?.user], expected: ['base', '7'] },
  { key: 'services.*.profiles', text: 'services: {web: {image: x}, tool: {image: y, profiles: [tools]}}', left: () => undefined, effect: (one) => Object.keys(one.services), expected: ['web'] },
  { key: 'include', text: 'include: [more.yaml]\nservices: {web: {image: x}}', left: (one) => Object.entries(one).find(([key]) => key === 'include'), effect: (one) => Object.keys(one.services).sort(), expected: ['extra', 'web'] },
  { key: 'version', text: 'version: "3"\nservices: {web: {image: x}}', left: (one) => Object.entries(one).find(([key]) => key === 'version'), effect: (one) => Object.keys(one.services), expected: ['web'] },
  ...(['networks', 'volumes', 'secrets', 'configs'] as const).map((section): Row => ({
    key: `${section}.*.external.name`,
    text: `services: {web: {image: x, ${section}: [${section === 'volumes' ? 'one:/one' : 'one'}]}}\n${section}: {one: {external: {name: other}}}`,
    left: () => undefined,
    effect: (project) => [project[section]?.['one']?.name, project[section]?.['one']?.external],
    expected: ['other', true],
  })),
];

describe('keys that the loader settles', () => {
  test('each row that names the loader is shown here', () => {
    const named = supportRows.filter((row) => row.laptop.kind === 'resolved' && row.laptop.by.startsWith('the loader')).map((row) => row.key);
    expect(rows.map((row) => row.key).sort()).toEqual(named.sort());
  });

  test.for(rows)('$key', ({ text, left, effect, expected }) => {
    const project = loaded(text);
    expect(left(project)).toBeUndefined();
    expect(effect(project)).toEqual(expected);
  });

  test('a profile that is asked for brings its service', () => {
    expect(Object.keys(loaded('services: {web: {image: x}, tool: {image: y, profiles: [tools]}}', ['tools']).services).sort()).toEqual(['tool', 'web']);
  });
});
