import { parseDotenv } from '../../src/spec/dotenv/parse.ts';
import { interpolate } from '../../src/spec/interpolate/template.ts';
import { extractVariables } from '../../src/spec/interpolate/variables.ts';
import { parsePortShort } from '../../src/spec/short/port.ts';
import { parseVolumeShort } from '../../src/spec/short/volume.ts';
import { judge } from './set.ts';
import type { Case, CaseResult, RunSet } from './set.ts';

type Outcome = Parameters<typeof judge>[1];

/** Runners of the sets that a single parser answers, by file name. */
export const leafSets: Readonly<Record<string, RunSet>> = {
  interpolation: each((one) => substitute(String(one['template']), envOf(one))),
  interpolation_custom: each(customSubstitute),
  variables: each((one) => ({
    ok: true,
    value: Object.fromEntries(
      [...extractVariables(one['model']).values()].map((use) => [use.name, { Name: use.name, DefaultValue: use.defaultValue, PresenceValue: use.presenceValue, Required: use.isRequired }]),
    ),
  })),
  dotenv: each(readEnvFiles),
  dotenv_expand: each((one) => substitute(String(one['value']), mapOf(one['vars']))),
  port_short: each((one) => parsePortShort(String(one['spec']))),
  volume_short: each((one) => {
    const entry = parseVolumeShort(String(one['spec']));
    if (!entry.ok || entry.value.bind === undefined) return entry;
    const { create_host_path: _, ...bind } = entry.value.bind;
    return { ok: true, value: { ...entry.value, bind } };
  }),
};

function each(run: (one: Case) => Outcome): RunSet {
  return (cases): CaseResult[] => cases.map((one) => judge(one, run(one)));
}

function substitute(template: string, env: ReadonlyMap<string, string>): Outcome {
  const out = interpolate(template, (name) => env.get(name));
  return out.ok ? out : { ok: false, message: out.error.message };
}

/** The reference lets its callers replace what a variable becomes; for us that is the lookup's business. */
function customSubstitute(one: Case): Outcome {
  const env = envOf(one);
  const test = String(one['test']);
  let refusal: string | undefined;
  const lookup = (name: string): string | undefined => {
    const value = env.get(name);
    if (test === 'TestSubstituteWithCustomFunc' ? value === undefined : name === 'NOTHERE') refusal = `bad choice: ${name}`;
    if (test === 'TestSubstituteWithReplacementFunc') return value || 'foobar';
    return test === 'TestSubstituteWithReplacementAppliedFunc' ? (value ?? 'foobar') : value;
  };
  const hasDefaults = /[-?+]/.test(String(one['template']));
  const out = interpolate(String(one['template']), hasDefaults ? (name) => env.get(name) : lookup);
  if (refusal !== undefined) return { ok: false, message: refusal };
  return out.ok ? out : { ok: false, message: out.error.message };
}

function readEnvFiles(one: Case): Outcome {
  const env = envOf(one);
  const files = Array.isArray(one['files']) ? one['files'].map((file: { name: string; text: string }) => file) : [{ name: 'env', text: String(one['text']) }];
  const values = new Map<string, string>();
  for (const file of files) {
    if (file.name.endsWith('/')) return { ok: false, message: `${file.name} is a directory` };
    const read = parseDotenv(file.text, { lookup: (name) => env.get(name) });
    if (!read.ok) return { ok: false, message: read.error.message };
    for (const [key, value] of read.values) values.set(key, value);
  }
  return { ok: true, value: Object.fromEntries(values) };
}

function envOf(one: Case): ReadonlyMap<string, string> {
  return mapOf(one['env']);
}

function mapOf(value: unknown): ReadonlyMap<string, string> {
  const map = new Map<string, string>();
  for (const [key, text] of Object.entries(value ?? {})) if (typeof text === 'string') map.set(key, text);
  return map;
}
