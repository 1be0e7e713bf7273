import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { composeSchema } from '../../src/spec/generated/compose-schema.js';
import { validateModel } from '../../src/spec/schema/validate.ts';
import { casesRoot } from '../conformance/set.ts';
import { publishedVerdict } from './published-schema.ts';
import { anyMutation, anyValue, mutate, sampleModel } from './samples.ts';
import { fc } from '../property.ts';

const isValidThere = publishedVerdict();

/** Same verdict as the published schema; and where it is refused, at least one finding says why. */
function agrees(model: unknown): boolean {
  return (validateModel(model).length === 0) === isValidThere(model);
}

describe('schemas/compose.json gives the verdicts of the published schema', () => {
  test('for values of any shape', () => {
    fc.assert(fc.property(anyValue, agrees));
  });

  test('for models that use every key', () => {
    fc.assert(fc.property(fc.nat(), (seed) => agrees(sampleModel(seed))), { numRuns: 3000 });
  });

  test('for such models with up to four things changed', () => {
    fc.assert(fc.property(fc.nat(), fc.array(anyMutation, { minLength: 1, maxLength: 4 }), (seed, mutations) => agrees(mutations.reduce<unknown>(mutate, sampleModel(seed)))), { numRuns: 4000 });
  });

  test.skipIf(!existsSync(casesRoot()))('for the real files, and these with things changed', () => {
    const models = realModels();
    expect(models.length).toBeGreaterThan(50);
    expect(models.filter((model) => !agrees(model))).toEqual([]);
    fc.assert(fc.property(fc.nat(models.length - 1), fc.array(anyMutation, { minLength: 1, maxLength: 3 }), (index, mutations) => agrees(mutations.reduce<unknown>(mutate, models[index]))), { numRuns: 3000 });
  });

  test('all 93 keys of a service are there, and each says what it is for', () => {
    const service = composeSchema.definitions?.['service']?.properties ?? {};
    expect(Object.keys(service)).toHaveLength(93);
    expect(Object.entries(service).filter(([, schema]) => schema.description === undefined)).toEqual([]);
  });
});

describe('what a finding says', () => {
  const rows: readonly (readonly [string, unknown, string])[] = [
    ['text for a list', { services: { web: { ports: '8080:80' } } }, 'services.web.ports must be a list of ports, not the text "8080:80" | Begin each item with a dash:\nports:\n  - "8080:80"'],
    ['a misspelt key', { services: { web: { imgae: 'x' } } }, '`imgae` is not a known key in services.web | Did you mean `image`?'],
    ['a hyphen for an underscore', { services: { web: { 'depends-on': [] } } }, '`depends-on` is not a known key in services.web | Did you mean `depends_on`?'],
    ['a service without indent', { services: null, web: { image: 'x' } }, 'services is empty: it must be a map from names to services | For example:\nservices:\n  web:\n    image: nginx\n`web` is not a known key at the top of the file | A service belongs under `services:`: indent `web:` and its settings below it.'],
    ['an empty service', { services: { web: null } }, 'services.web is empty: it must be a map of settings | Indent the settings of `web` below its name, or give it an image:\nweb:\n  image: nginx'],
    ['a port with a space', { services: { web: { ports: [{ '8080': 80 }] } } }, '`8080` is not a known key in services.web.ports[0] | The keys here are name, mode, host_ip, target, published, protocol and app_protocol; a key of your own begins with `x-`.'],
    ['a pair in a list', { services: { web: { environment: [{ A: 'b' }] } } }, 'services.web.environment[0] must be text, not a map | Write `- A=b`, or drop the dashes and keep `A: b`.'],
    ['a number for text', { services: { web: { image: 5 } } }, 'services.web.image must be the name of an image, not 5 | Put it in quotes: "5".'],
    ['a number for a duration', { services: { web: { stop_grace_period: 5 } } }, 'services.web.stop_grace_period must be a duration, not 5 | Say in which unit: 5s or 5m.'],
    ['a dash without a space', { services: { web: { ports: '-80:80' } } }, 'services.web.ports must be a list of ports, not the text "-80:80" | Put a space behind the dash:\nports:\n  - "80:80"'],
    ['a key one level too high', { services: { web: { replicas: 3 } } }, '`replicas` is not a known key in services.web | `replicas` belongs under `deploy:`.'],
    ['a wrong condition', { services: { web: { depends_on: { db: { condition: 'healthy' } } } } }, 'services.web.depends_on.db.condition must be `service_started`, `service_healthy` or `service_completed_successfully`, not the text "healthy" | Did you mean `service_healthy`?'],
    ['a missing key', { services: { web: { volumes: [{ source: 'a' }] } } }, 'services.web.volumes[0] must have the key `type` | Add `type:`: bind, volume, tmpfs, cluster, npipe or image.'],
    ['a number out of range', { services: { web: { oom_score_adj: 2000 } } }, 'services.web.oom_score_adj must be from -1000 to 1000, not 2000'],
    ['an item twice', { services: { web: { ports: ['80', '81', '80'] } } }, 'services.web.ports[2] repeats services.web.ports[0]: the text "80" | Keep one of the two.'],
    ['a bad name', { services: { 'my web': { image: 'x' } } }, '`my web` is not a valid name in services | Use letters, digits, `.`, `_` and `-`.'],
  ];
  test.for(rows)('%s', ([, model, text]) => {
    expect(validateModel(model).map((one) => one.message + (one.hint === undefined ? '' : ` | ${one.hint}`)).join('\n')).toBe(text);
  });
});

function realModels(): unknown[] {
  const texts = filesBelow(join(casesRoot(), 'stacks'))
    .filter((path) => /compose[^/]*\.ya?ml$/.test(path))
    .map((path) => readFileSync(path, 'utf8'));
  const load: { cases: { files?: { text: string }[] }[] } = JSON.parse(readFileSync(join(casesRoot(), 'cases/compose-go/load.json'), 'utf8'));
  texts.push(...load.cases.flatMap((one) => (one.files ?? []).map((file) => file.text)));
  return texts.filter((text) => text.length < 8_000).flatMap((text) => {
    try {
      const model: unknown = JSON.parse(JSON.stringify(parse(text, { merge: true, logLevel: 'error' }) ?? {}));
      return [model];
    } catch {
      return [];
    }
  });
}

function filesBelow(dir: string): string[] {
  return readdirSync(dir).flatMap((name) => {
    const path = join(dir, name);
    return statSync(path).isDirectory() ? filesBelow(path) : [path];
  });
}
