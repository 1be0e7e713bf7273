import type { Project, Service } from '../project.ts';

/** Where an application can run. */
export type Target = 'laptop' | 'cluster';

export const targets: readonly Target[] = ['laptop', 'cluster'];

/**
 * What a target does with a key:
 * - honoured: it has the effect that the Compose specification gives it;
 * - bound: it has its effect, but ties the service to one node or to what is on it;
 * - resolved: settled before a container is made, or without a meaning there: nothing of it is left to do;
 * - unheeded: it has no effect, the application runs without it, and a warning says so;
 * - refused: the application is not started there; `reason` says why and `hint` what to do instead.
 */
export type Verdict =
  | { readonly kind: 'honoured'; readonly note?: string }
  | { readonly kind: 'bound'; readonly reason: string }
  | { readonly kind: 'resolved'; readonly by: string }
  | { readonly kind: 'unheeded'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string; readonly hint: string };

/** What a rule may look at beside the value. */
export type Place = {
  readonly target: Target;
  readonly project: Project;
  /** The service that the value is in; null at the top of the file. */
  readonly service: Service | null;
  /** The object or list that holds the value. */
  readonly parent: unknown;
};

/** Decides on values of a key that is honoured in part. */
export type ValueRule = {
  /** For the printed page: which values are honoured. */
  readonly words: string;
  readonly check: (value: unknown, place: Place) => Verdict;
};

/** A key as a path: `deploy.resources.limits`; `*` stands for any name and `[]` for any item of a list. */
export type KeyRow = {
  readonly key: string;
  readonly laptop: Verdict;
  readonly cluster: Verdict;
  readonly values?: ValueRule;
};

export const honoured: Verdict = { kind: 'honoured' };

export function refused(reason: string, hint: string): Verdict {
  return { kind: 'refused', reason, hint };
}

export function bound(reason: string): Verdict {
  return { kind: 'bound', reason };
}

export function resolved(by: string): Verdict {
  return { kind: 'resolved', by };
}

export function unheeded(reason: string): Verdict {
  return { kind: 'unheeded', reason };
}

/** Honoured on both targets. */
export function yes(...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: honoured, cluster: honoured }));
}

/** Honoured on both, with a word on how. */
export function noted(note: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: { kind: 'honoured', note }, cluster: { kind: 'honoured', note } }));
}

/** Settled on both before a container is made. */
export function settled(by: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: resolved(by), cluster: resolved(by) }));
}

/** Settled on a laptop; on a cluster it has its effect. */
export function settledOnLaptop(by: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: resolved(by), cluster: honoured }));
}

/** Refused on both, for the same reason. */
export function no(reason: string, hint: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: refused(reason, hint), cluster: refused(reason, hint) }));
}

/** Without effect on a laptop, and harmless so; the cluster's design has it. */
export function clusterOnly(reason: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: unheeded(reason), cluster: honoured }));
}

/** Honoured on a laptop; on a cluster it ties the service to a node. */
export function tied(reason: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: honoured, cluster: bound(reason) }));
}

/** Honoured with some values only. */
export function some(values: ValueRule, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: honoured, cluster: honoured, values }));
}

/** One of a few words, or what begins with one of a few. */
export function oneOf(words: readonly string[], reason: string, hint: string): ValueRule {
  return {
    words: words.map((word) => `\`${word}\``).join(' '),
    check: (value) => (words.includes(String(value)) ? honoured : refused(`${shown(value)}: ${reason}`, hint)),
  };
}

/** What `fits`; the rest is refused for one reason. */
export function fitting(words: string, fits: (value: unknown, place: Place) => boolean, [reason, hint]: readonly [reason: string, hint: string]): ValueRule {
  return { words, check: (value, place) => (fits(value, place) ? honoured : refused(typeof value === 'object' ? reason : `${shown(value)}: ${reason}`, hint)) };
}

function shown(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? String(value));
}
