import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isErrorCode } from '../../src/base/error-codes.ts';
import { casesRoot } from '../conformance/set.ts';
import { loadFiles } from './load-files.ts';
import { fc } from '../property.ts';

/** One thing done to a text, at a line or a character. */
type Edit = { readonly how: 'drop' | 'double' | 'indent' | 'outdent' | 'swap' | 'cut' | 'put' | 'tab' | 'copy'; readonly at: number; readonly to: number; readonly text: string };

const anyEdit: fc.Arbitrary<Edit> = fc.record({
  how: fc.constantFrom('drop', 'double', 'indent', 'outdent', 'swap', 'cut', 'put', 'tab', 'copy'),
  at: fc.nat(),
  to: fc.nat(),
  text: fc.constantFrom(':', '- ', '"', "'", '{', '}', '[', ']', '${', '$', '}', '&a ', '*a', '<<: ', '!reset ', '!override ', '#', '|', '\t', '~', '\0', '\u00e9', '\r', '0', '-1', '1e9', 'null', 'true', '? ', '%', '@', '---\n', 'x-a: &a\n', '..', '/', '\\'),
});

function apply(text: string, edit: Edit): string {
  const lines = text.split('\n');
  const at = edit.at % lines.length;
  const to = edit.to % lines.length;
  const line = lines[at] ?? '';
  switch (edit.how) {
    case 'drop':
      return lines.toSpliced(at, 1).join('\n');
    case 'double':
      return lines.toSpliced(at, 0, line).join('\n');
    case 'copy':
      return lines.toSpliced(to, 0, line).join('\n');
    case 'indent':
      return lines.with(at, ` ${line}`).join('\n');
    case 'outdent':
      return lines.with(at, line.replace(/^ {1,2}/, '')).join('\n');
    case 'tab':
      return lines.with(at, line.replace(/^ +/, '\t')).join('\n');
    case 'swap':
      return lines.with(at, lines[to] ?? '').with(to, line).join('\n');
    case 'cut':
      return text.slice(0, edit.at % (text.length + 1)) + text.slice((edit.at % (text.length + 1)) + 1 + (edit.to % 5));
    case 'put':
      return text.slice(0, edit.at % (text.length + 1)) + edit.text + text.slice(edit.at % (text.length + 1));
  }
}

/** Loads, or says with known codes and places inside the file why not. A throw fails the property by itself. */
function endsWell(text: string): boolean {
  const result = loadFiles({ 'compose.yaml': text }, { projectName: { name: 'app', isExplicit: false } });
  if (result.kind === 'need') return false;
  const errors = result.diagnostics.filter((one) => one.severity === 'error');
  const count = text.split(/\r\n|\n|\r/).length;
  const isPlaced = result.diagnostics.every((one) => one.line >= 0 && one.line <= count && one.message !== '' && isErrorCode(one.code));
  return isPlaced && (result.kind === 'loaded' ? errors.length === 0 : errors.length > 0);
}

const sample = `name: shop
x-base: &base {restart: always, labels: {a: b}}
services:
  web:
    <<: *base
    image: "nginx:\${TAG:-1}"
    ports: ["8080:80", {target: 90}]
    volumes: [data:/data, ./a:/b:ro]
    depends_on: {db: {condition: service_healthy}}
    networks: {front: {aliases: [w]}}
    command: sh -c "echo hi"
    deploy: {replicas: 2, resources: {limits: {memory: 64m}}}
  db:
    extends: {service: base}
    healthcheck: {test: [CMD, "true"], interval: 5s}
    secrets: [password]
  base: {image: postgres, profiles: [x]}
networks: {front: }
volumes: {data: {}}
secrets: {password: {environment: PW}}
`;

describe('whatever is done to a file, it loads or is refused with codes and places', () => {
  test('a small file of everything', () => {
    expect(endsWell(sample)).toBe(true);
    fc.assert(fc.property(fc.array(anyEdit, { minLength: 1, maxLength: 4 }), (edits) => endsWell(edits.reduce(apply, sample))), { numRuns: Number(process.env['FUZZ'] ?? 800) });
  });

  test('any text at all', () => {
    const words = fc.constantFrom('services:', 'web:', 'image: x', '\n', '  ', '- ', ': ', '{', '}', '[', ']', '"', '&a', '*a', '<<: *a', '!reset', '${A}', 'ports:', '|', '>', '#', '---', '\t', '?', ',');
    fc.assert(fc.property(fc.array(words, { maxLength: 40 }), (pieces) => endsWell(pieces.join(''))), { numRuns: 1000 });
  });

  const root = join(casesRoot(), 'stacks');
  test.skipIf(!existsSync(root))('the real files', () => {
    const texts = filesBelow(root).filter((path) => /compose[^/]*\.ya?ml$/.test(path)).map((path) => readFileSync(path, 'utf8')).filter((text) => text.length < 6_000);
    expect(texts.length).toBeGreaterThan(50);
    fc.assert(fc.property(fc.nat(texts.length - 1), fc.array(anyEdit, { minLength: 1, maxLength: 3 }), (index, edits) => endsWell(edits.reduce(apply, texts[index] ?? ''))), { numRuns: Number(process.env['FUZZ'] ?? 800) });
  });
});

function filesBelow(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}
