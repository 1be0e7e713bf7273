import { AppError } from '../../../base/app-error.ts';
import type { OciSeccomp, OciSeccompRule } from '../oci-types.ts';

export type SeccompArch = 'amd64' | 'arm64';

/** A profile with conditions, as in Docker's format: rules hold or not by capability, architecture and kernel. */
export type SeccompProfile = { readonly defaultAction: string; readonly defaultErrnoRet?: number; readonly architectures?: readonly string[]; readonly rules: readonly SeccompRule[] };

export type SeccompRule = OciSeccompRule & { readonly includes?: SeccompCondition; readonly excludes?: SeccompCondition };

export type SeccompCondition = { readonly caps?: readonly string[]; readonly arches?: readonly string[]; readonly minKernel?: KernelVersion };

export type KernelVersion = { readonly major: number; readonly minor: number };

/** The machine's own architecture first, then those whose programs it runs too. */
const architectures: Readonly<Record<SeccompArch, readonly string[]>> = {
  amd64: ['SCMP_ARCH_X86_64', 'SCMP_ARCH_X86', 'SCMP_ARCH_X32'],
  arm64: ['SCMP_ARCH_AARCH64', 'SCMP_ARCH_ARM'],
};

/** The filter for one container: the conditions are decided, what remains are calls and answers. */
export function compileSeccomp(profile: SeccompProfile, facts: { readonly capabilities: readonly string[]; readonly arch: SeccompArch; readonly kernel: KernelVersion }): OciSeccomp {
  return {
    defaultAction: profile.defaultAction,
    ...(profile.defaultErrnoRet === undefined ? {} : { defaultErrnoRet: profile.defaultErrnoRet }),
    architectures: profile.architectures ?? architectures[facts.arch],
    syscalls: profile.rules
      .filter((rule) => isIncluded(rule.includes, facts) && !isExcluded(rule.excludes, facts))
      .map(({ names, action, errnoRet, args }) => ({
        names,
        action,
        ...(errnoRet === undefined ? {} : { errnoRet }),
        ...(args === undefined || args.length === 0 ? {} : { args }),
      })),
  };
}

type Facts = { readonly capabilities: readonly string[]; readonly arch: SeccompArch; readonly kernel: KernelVersion };

/** A rule with `includes` holds only where all of it is true: every capability, one of the architectures, the kernel. */
function isIncluded(condition: SeccompCondition | undefined, facts: Facts): boolean {
  if (condition === undefined) return true;
  if (condition.caps?.some((name) => !facts.capabilities.includes(name)) === true) return false;
  if (condition.arches !== undefined && condition.arches.length > 0 && !condition.arches.includes(facts.arch)) return false;
  return condition.minKernel === undefined || !isOlder(facts.kernel, condition.minKernel);
}

/** A rule with `excludes` falls where any of it is true. */
function isExcluded(condition: SeccompCondition | undefined, facts: Facts): boolean {
  if (condition === undefined) return false;
  if (condition.caps?.some((name) => facts.capabilities.includes(name)) === true) return true;
  if (condition.arches?.includes(facts.arch) === true) return true;
  return condition.minKernel !== undefined && !isOlder(facts.kernel, condition.minKernel);
}

function isOlder(kernel: KernelVersion, floor: KernelVersion): boolean {
  return kernel.major < floor.major || (kernel.major === floor.major && kernel.minor < floor.minor);
}

/**
 * Reads a profile of the user's, in Docker's JSON format.
 * Errors: ENGINE_SECCOMP_PROFILE with the path inside the document. A key that isn't known is refused: it could have been a restriction.
 */
export function parseSeccompProfile(json: string): SeccompProfile {
  let document: unknown;
  try {
    document = JSON.parse(json);
  } catch (error) {
    throw new AppError({ code: 'ENGINE_SECCOMP_PROFILE', message: `the seccomp profile is not JSON: ${error instanceof Error ? error.message : 'unreadable'}` });
  }
  const root = record(document, 'profile');
  knownKeys(root, 'profile', ['defaultAction', 'defaultErrnoRet', 'defaultErrno', 'archMap', 'architectures', 'syscalls', 'comment', 'flags', 'listenerPath', 'listenerMetadata']);
  for (const key of ['listenerPath', 'listenerMetadata', 'defaultErrno']) if (root[key] !== undefined) refuse(`profile.${key}`, 'is not supported');
  if (Array.isArray(root['flags']) && root['flags'].length > 0) refuse('profile.flags', 'is not supported');
  const explicit = root['architectures'] === undefined || root['architectures'] === null ? [] : strings(root['architectures'], 'profile.architectures');
  return {
    defaultAction: action(root['defaultAction'], 'profile.defaultAction'),
    ...(root['defaultErrnoRet'] === undefined ? {} : { defaultErrnoRet: count(root['defaultErrnoRet'], 'profile.defaultErrnoRet') }),
    ...(explicit.length === 0 ? {} : { architectures: explicit }),
    rules: list(root['syscalls'], 'profile.syscalls').map((rule, index) => parseRule(rule, `profile.syscalls[${index}]`)),
  };
}

function parseRule(value: unknown, path: string): SeccompRule {
  const rule = record(value, path);
  knownKeys(rule, path, ['name', 'names', 'action', 'errnoRet', 'errno', 'args', 'comment', 'includes', 'excludes']);
  const names = rule['names'] === undefined ? [] : strings(rule['names'], `${path}.names`);
  const single = rule['name'] === undefined || rule['name'] === '' ? [] : strings([rule['name']], `${path}.name`);
  if (names.length + single.length === 0) refuse(`${path}.names`, 'names no system call');
  const args = rule['args'] === undefined || rule['args'] === null ? [] : list(rule['args'], `${path}.args`).map((one, index) => parseArg(one, `${path}.args[${index}]`));
  return {
    names: [...single, ...names],
    action: action(rule['action'], `${path}.action`),
    ...(rule['errnoRet'] === undefined ? {} : { errnoRet: count(rule['errnoRet'], `${path}.errnoRet`) }),
    ...(args.length === 0 ? {} : { args }),
    ...(rule['includes'] === undefined ? {} : { includes: parseCondition(rule['includes'], `${path}.includes`) }),
    ...(rule['excludes'] === undefined ? {} : { excludes: parseCondition(rule['excludes'], `${path}.excludes`) }),
  };
}

function parseArg(value: unknown, path: string): { readonly index: number; readonly value: number; readonly valueTwo: number; readonly op: string } {
  const arg = record(value, path);
  const op = arg['op'];
  if (typeof op !== 'string' || !/^SCMP_CMP_(NE|LT|LE|EQ|GE|GT|MASKED_EQ)$/.test(op)) return refuse(`${path}.op`, `is no comparison: ${JSON.stringify(op)}`);
  return { index: count(arg['index'], `${path}.index`), value: count(arg['value'], `${path}.value`), valueTwo: count(arg['valueTwo'] ?? 0, `${path}.valueTwo`), op };
}

function parseCondition(value: unknown, path: string): SeccompCondition {
  const condition = record(value, path);
  knownKeys(condition, path, ['caps', 'arches', 'minKernel']);
  const kernel = condition['minKernel'];
  const match = typeof kernel === 'string' ? /^(\d+)\.(\d+)/.exec(kernel) : null;
  if (kernel !== undefined && kernel !== '' && match === null) refuse(`${path}.minKernel`, `is no kernel version: ${JSON.stringify(kernel)}`);
  return {
    ...(condition['caps'] === undefined ? {} : { caps: strings(condition['caps'], `${path}.caps`) }),
    ...(condition['arches'] === undefined ? {} : { arches: strings(condition['arches'], `${path}.arches`) }),
    ...(match === null ? {} : { minKernel: { major: Number(match[1]), minor: Number(match[2]) } }),
  };
}

function action(value: unknown, path: string): string {
  if (typeof value === 'string' && /^SCMP_ACT_(KILL|KILL_PROCESS|KILL_THREAD|TRAP|ERRNO|TRACE|ALLOW|LOG)$/.test(value)) return value;
  return refuse(path, `is no action: ${JSON.stringify(value)}`);
}

function record(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return refuse(path, 'must be an object');
  return Object.fromEntries(Object.entries(value));
}

function list(value: unknown, path: string): readonly unknown[] {
  return Array.isArray(value) ? value : refuse(path, 'must be a list');
}

function strings(value: unknown, path: string): string[] {
  return list(value, path).map((one, index) => (typeof one === 'string' ? one : refuse(`${path}[${index}]`, 'must be a string')));
}

function count(value: unknown, path: string): number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 0 ? value : refuse(path, 'must be a whole number');
}

function knownKeys(value: Readonly<Record<string, unknown>>, path: string, known: readonly string[]): void {
  for (const key of Object.keys(value)) if (!known.includes(key)) refuse(`${path}.${key}`, 'is not a key of a seccomp profile');
}

function refuse(path: string, why: string): never {
  throw new AppError({ code: 'ENGINE_SECCOMP_PROFILE', message: `${path} ${why}` });
}
