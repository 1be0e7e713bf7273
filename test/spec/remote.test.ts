import { describe, expect, test } from 'vitest';
import { parseRemoteResource } from '../../src/spec/remote.ts';

describe('where a remote compose file is, and where its copy belongs', () => {
  test.for([
    ['oci://registry.example.com/team/app:1', 'oci', /^oci\/[0-9a-f]{64}$/],
    ['https://example.com/team/app.git', 'git', /^git\/[0-9a-f]{64}$/],
    ['https://example.com/team/app.git#main:deploy/./compose', 'git', /^git\/[0-9a-f]{64}\/deploy\/compose$/],
    ['git@example.com:team/app#v1', 'git', /^git\/[0-9a-f]{64}$/],
  ] as const)('%s', ([text, kind, place]) => {
    const result = parseRemoteResource(text);
    expect(result).toMatchObject({ ok: true, value: { kind } });
    if (result.ok) expect(result.value.cachePath).toMatch(place);
  });

  test.for([
    ['a folder that leaves the repository', 'https://example.com/app.git#main:../../etc'],
    ['a folder that leaves it further in', 'https://example.com/app.git#main:a/../../b'],
    ['a backslash, which another system reads as a step', 'https://example.com/app.git#main:a\\..\\b'],
    ['a reference that Git would take for a flag', 'https://example.com/app.git#--upload-pack=x'],
    ['an artifact with a step upwards', 'oci://registry.example.com/../x'],
    ['an artifact without a name', 'oci://'],
    ['a plain path', './compose.yaml'],
  ] as const)('%s is refused', ([, text]) => {
    expect(parseRemoteResource(text).ok).toBe(false);
  });

  test('two references of one repository have two places', () => {
    const places = ['main', 'next'].map((ref) => parseRemoteResource(`https://example.com/app.git#${ref}`)).map((result) => (result.ok ? result.value.cachePath : ''));
    expect(new Set(places).size).toBe(2);
  });
});
