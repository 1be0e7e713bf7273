import { castTable, interpolateModel } from '../../src/spec/interpolate/model.ts';
import type { Cast } from '../../src/spec/interpolate/model.ts';
import { mergeModels } from '../../src/spec/merge/merge.ts';
import { enforceUnique } from '../../src/spec/merge/unique.ts';
import { normalize } from '../../src/spec/normalize/normalize.ts';
import { Report } from '../../src/spec/report.ts';
import { validateModel } from '../../src/spec/schema/validate.ts';
import { Origins } from '../../src/spec/source/origins.ts';
import { FloatValue, isDict, newDict, numberOf } from '../../src/spec/source/values.ts';
import type { Dict, Value } from '../../src/spec/source/values.ts';
import { canonicalValue } from '../../src/spec/transform/canonical.ts';
import { setDefaults } from '../../src/spec/transform/defaults.ts';
import { stableText } from './set.ts';
import type { Case, CaseResult, RunSet } from './set.ts';

/** Sets that ask one phase with a model as JSON. */
export const modelSets: Readonly<Record<string, RunSet>> = {
  merge: each((one, report) => {
    const merged = mergeModels(dictOf(one['base']), dictOf(one['override']), report);
    enforceUnique(merged, report);
    return merged;
  }),
  unique_sequences: each((one, report) => {
    const model = dictOf(one['model']);
    enforceUnique(model, report);
    return model;
  }),
  normalize: each((one) => {
    const model = dictOf(one['model']);
    const env = new Map(Object.entries(stringsOf(one['env'])));
    normalize(model, (name) => env.get(name));
    return model;
  }),
  defaults: each((one) => {
    const model = dictOf(one['model']);
    setDefaults(model, { 'services.*.ports.*': metricPort });
    return model;
  }),
  transform_short_syntax: each((one, report) => {
    const container = newDict();
    const data = valueOf(one['data']);
    container['data'] = data;
    const pattern = formOf[String(one['transform'])];
    if (pattern === undefined) {
      report.error({ code: 'BASE_INTERNAL', message: `unknown transform ${String(one['transform'])}` });
      return null;
    }
    return canonicalValue(pattern, { value: data, container, key: 'data', path: String(one['path']), report, isLenient: one['ignoreParseError'] === true });
  }),
  interpolation_model: each((one, report) => {
    const model = dictOf(one['model']);
    const env = new Map(Object.entries(stringsOf(one['env'])));
    const names = Array.isArray(one['casts']) ? one['casts'].map(String) : [];
    const casts: Record<string, Cast> = Object.fromEntries(names.map((path) => [path, castNamed(path)]));
    interpolateModel(model, { lookup: (name) => env.get(name), report, casts });
    return model;
  }),
  schema_validate: (cases) =>
    cases.map((one) => {
      const errors = validateModel(one['model']);
      const ok = (errors.length === 0) === (one['valid'] === true);
      return ok ? { id: one.id, ok } : { id: one.id, ok, why: errors.length === 0 ? `expected the error ${String(one['error'])}` : `unexpected: ${errors.map((error) => error.message).join('; ')}` };
    }),
};

const formOf: Readonly<Record<string, string>> = {
  transformBuild: 'services.*.build', transformEnvFile: 'services.*.env_file', transformMaybeExternal: 'networks.*', transformPorts: 'services.*.ports',
  transformSSH: 'services.*.build.ssh', transformVolumeMount: 'services.*.volumes.*', transformFileMount: 'services.*.secrets.*', transformDependsOn: 'services.*.depends_on',
  transformDeviceMapping: 'services.*.devices.*', transformExtends: 'services.*.extends', transformGpus: 'services.*.gpus', transformKeyValue: 'services.*.build.additional_contexts',
  transformStringSliceToMap: 'services.*.networks', transformStringOrList: 'services.*.dns', transformUlimits: 'services.*.ulimits.*', transformStringOrX: 'services.*.build.sbom',
};

/** A cast of the recorded test: by the key's last word, or as the language has it. */
function castNamed(path: string): Cast {
  return castTable[path] ?? (/(?:required|external|enabled|bool)/i.test(path) ? 'bool' : 'int');
}

/** The rule that the recorded test registers for ports. Source: its description in the cases. */
function metricPort(port: Dict): void {
  const set = (key: string, value: Value): void => {
    if (!(key in port)) port[key] = value;
  };
  if (port['protocol'] === 'https') {
    set('app_protocol', 'http2');
    set('name', 'https');
  } else {
    set('name', 'http');
    set('protocol', 'tcp');
  }
  const published = port['published'];
  const colon = typeof published === 'string' ? published.indexOf(':') : -1;
  if (typeof published === 'string' && colon >= 0) {
    set('x-published-domain', published.slice(0, colon));
    set('x-published-port', published.slice(colon + 1));
  }
  set('mode', 'ingress');
  set('x-metrics-enabled', true);
  set('x-metrics-path', '/metrics');
}

function each(run: (one: Case, report: Report) => Value): RunSet {
  return (cases): CaseResult[] =>
    cases.map((one) => {
      const report = new Report(new Origins());
      const value = run(one, report);
      if ('error' in one) return report.hasErrors ? { id: one.id, ok: true } : { id: one.id, ok: false, why: `expected the error ${String(one['error'])}` };
      if (report.hasErrors) return { id: one.id, ok: false, why: report.diagnostics.map((each_) => each_.message).join('; ') };
      const [want, got] = [stableText(one['expect']), stableText(plain(value))];
      return want === got ? { id: one.id, ok: true } : { id: one.id, ok: false, why: `expected ${want}, got ${got}` };
    });
}

/** A JSON value as the loader has it: mappings without a prototype. */
export function valueOf(json: unknown): Value {
  if (Array.isArray(json)) return json.map(valueOf);
  if (typeof json === 'object' && json !== null) return dictOf(json);
  return typeof json === 'string' || typeof json === 'number' || typeof json === 'boolean' ? json : null;
}

function dictOf(json: unknown): Dict {
  const made = newDict();
  for (const [key, child] of Object.entries(json ?? {})) made[key] = valueOf(child);
  return made;
}

function plain(value: Value): unknown {
  if (value instanceof FloatValue || typeof value === 'bigint') return numberOf(value);
  if (Array.isArray(value)) return value.map(plain);
  return isDict(value) ? Object.fromEntries(Object.entries(value).map(([key, child]) => [key, plain(child)])) : value;
}

function stringsOf(value: unknown): Record<string, string> {
  return Object.fromEntries(Object.entries(value ?? {}).map(([key, one]) => [key, String(one)]));
}
