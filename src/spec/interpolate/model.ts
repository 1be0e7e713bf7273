import type { Report } from '../report.ts';
import { ruleTree, step } from '../rule-tree.ts';
import type { RuleTree } from '../rule-tree.ts';
import { parseBoolean } from '../short/boolean.ts';
import { positionAt } from '../source/origins.ts';
import type { Position } from '../source/origins.ts';
import { floatOf, isDict, isList } from '../source/values.ts';
import type { Dict, List, Value } from '../source/values.ts';
import { interpolate } from './template.ts';
import type { Lookup } from './template.ts';

export type Cast = 'int' | 'float' | 'float32' | 'bool';

/** Where a text, once its variables are in, is read as another type. Source: Compose spec; compose-go (which keys). */
export const castTable: Readonly<Record<string, Cast>> = {
  ...casts('int', [
    'services.*.cpu_count', 'services.*.cpu_period', 'services.*.cpu_quota', 'services.*.cpu_rt_period', 'services.*.cpu_rt_runtime',
    'services.*.cpu_shares', 'services.*.deploy.replicas', 'services.*.deploy.update_config.parallelism',
    'services.*.deploy.rollback_config.parallelism', 'services.*.deploy.restart_policy.max_attempts',
    'services.*.deploy.placement.max_replicas_per_node', 'services.*.healthcheck.retries', 'services.*.oom_score_adj',
    'services.*.pids_limit', 'services.*.ports.[].target', 'services.*.scale', 'services.*.ulimits.*', 'services.*.ulimits.*.hard',
    'services.*.ulimits.*.soft',
  ]),
  ...casts('float', ['services.*.cpu_percent', 'services.*.deploy.update_config.max_failure_ratio', 'services.*.deploy.rollback_config.max_failure_ratio']),
  ...casts('float32', ['services.*.cpus']),
  ...casts('bool', [
    'services.*.init', 'services.*.depends_on.*.required', 'services.*.depends_on.*.restart', 'services.*.healthcheck.disable',
    'services.*.oom_kill_disable', 'services.*.privileged', 'services.*.read_only', 'services.*.stdin_open', 'services.*.tty',
    'services.*.volumes.[].read_only', 'services.*.volumes.[].volume.nocopy', 'networks.*.external', 'networks.*.internal',
    'networks.*.attachable', 'networks.*.enable_ipv4', 'networks.*.enable_ipv6', 'volumes.*.external', 'secrets.*.external', 'configs.*.external',
  ]),
};

const castRules = ruleTree(castTable);

export type InterpolateModel = { readonly lookup: Lookup; readonly report: Report; readonly casts?: Readonly<Record<string, Cast>> };

/** Puts variables into every text of a model, in place, and reads the text as the key's type. Keys stay as they are. */
export function interpolateModel(model: Dict, options: InterpolateModel): void {
  const rules = options.casts === undefined ? castRules : ruleTree(options.casts);
  for (const key of Object.keys(model)) visit(options, model, key, step(rules, key), [key]);
}

function visit(options: InterpolateModel, container: Dict | List, key: string | number, rules: RuleTree<Cast> | undefined, path: string[]): void {
  const value = childOf(container, key);
  if (typeof value === 'string') {
    const text = substitute(options, container, key, path, value);
    if (text === undefined) return;
    const cast = rules?.rule;
    setChild(container, key, cast === undefined ? text : castText(options, container, key, path, text, cast));
  } else if (isList(value)) {
    value.forEach((_, index) => {
      path.push('[]');
      visit(options, value, index, step(rules, '[]'), path);
      path.pop();
    });
  } else if (isDict(value)) {
    for (const name of Object.keys(value)) {
      path.push(name);
      visit(options, value, name, step(rules, name), path);
      path.pop();
    }
  }
}

function substitute({ lookup, report }: InterpolateModel, container: Dict | List, key: string | number, path: readonly string[], template: string): string | undefined {
  if (!template.includes('$')) return template;
  const result = interpolate(template, lookup, {
    onUnset: (name, offset) => {
      const at = insideScalar(report, container, key, template, offset, name.length + 1);
      report.warn({ code: 'SPEC_VARIABLE_UNSET', message: `the variable \`${name}\` is not set: it becomes an empty text`, hint: `Set it in .env, or write \${${name}:-default}.`, ...at, path: path.join('.') });
    },
  });
  if (result.ok) return result.value;
  const at = insideScalar(report, container, key, template, result.error.offset, result.error.length);
  if (result.error.kind === 'required') {
    report.error({ code: 'SPEC_VARIABLE_REQUIRED', message: result.error.message, hint: `Set ${result.error.name ?? 'it'} in the environment or in .env.`, ...at, path: path.join('.') });
  } else {
    report.error({ code: 'SPEC_INTERPOLATION', message: result.error.message, hint: 'Write $$ for a dollar sign.', ...at, path: path.join('.') });
  }
  return undefined;
}

/** The place of a stretch inside a scalar, where its text stands unfolded in the file; else the scalar's own place. */
function insideScalar(report: Report, container: Dict | List, key: string | number, template: string, offset: number, length: number): Partial<Position> {
  const scalar = report.origins.scalarAt(container, key);
  if (scalar?.isPlain === true && scalar.source.text.startsWith(template, scalar.start)) return positionAt(scalar.source, scalar.start + offset, scalar.start + offset + length);
  return report.origins.at(container, key, 'value') ?? {};
}

function castText({ report }: InterpolateModel, container: Dict | List, key: string | number, path: readonly string[], text: string, cast: Cast): Value {
  const refuse = (message: string, hint: string): Value => {
    report.errorAt({ container, key, path: path.join('.') }, { code: 'SPEC_WRONG_TYPE', message: `${path.join('.')}: ${message}`, hint });
    return text;
  };
  if (cast === 'bool') {
    const read = parseBoolean(text);
    if (!read.ok) return refuse(read.message, 'Write true or false.');
    if (read.value.isOldStyle) report.warnAt({ container, key, path: path.join('.') }, { code: 'SPEC_OLD_BOOLEAN', message: `\`${text}\` is an old way to write ${read.value.value}`, hint: `Write ${read.value.value}.` });
    return read.value.value;
  }
  if (cast === 'int') {
    if (!/^[-+]?\d+$/.test(text)) return refuse(`\`${text}\` is not a whole number`, 'Write digits only.');
    const value = Number(text);
    return Number.isSafeInteger(value) ? value : BigInt(text);
  }
  const value = parseFloatText(text);
  if (value === undefined) return refuse(`\`${text}\` is not a number`, 'Write it as 0.5 or 2.');
  return floatOf(value);
}

function parseFloatText(text: string): number | undefined {
  if (/^[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?$/.test(text)) {
    const value = Number(text);
    return Number.isFinite(value) ? value : undefined;
  }
  if (/^[-+]?inf(?:inity)?$/i.test(text)) return text.startsWith('-') ? -Infinity : Infinity;
  return /^nan$/i.test(text) ? NaN : undefined;
}

function childOf(container: Dict | List, key: string | number): Value {
  if (Array.isArray(container)) return typeof key === 'number' ? (container[key] ?? null) : null;
  return container[key] ?? null;
}

function setChild(container: Dict | List, key: string | number, value: Value): void {
  if (!Array.isArray(container)) container[key] = value;
  else if (typeof key === 'number') container[key] = value;
}

function casts(cast: Cast, paths: readonly string[]): Record<string, Cast> {
  return Object.fromEntries(paths.map((path) => [path, cast]));
}
