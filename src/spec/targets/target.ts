/** Where an application can run. */
export type Target = 'laptop' | 'cluster';

export const targets: readonly Target[] = ['laptop', 'cluster'];

/**
 * What a target does with a key:
 * - honoured: it has the effect that the Compose specification gives it;
 * - bound: it has its effect, but ties the service to one node or to what is on it;
 * - refused: the application is not started there, and `reason` says why and what to do instead.
 */
export type Verdict = { readonly kind: 'honoured' } | { readonly kind: 'bound' | 'refused'; readonly reason: string };

/** A key as a path: `deploy.resources.limits`; `*` stands for any name and `[]` for any item of a list. */
export type KeyRow = {
  readonly key: string;
  readonly laptop: Verdict;
  readonly cluster: Verdict;
  /** The values that are refused although the key is honoured, and why. */
  readonly values?: ValueRule;
};

export type ValueRule = {
  /** For the printed table: which values are honoured. */
  readonly words: string;
  readonly check: (value: unknown, target: Target) => Verdict;
};

export const honoured: Verdict = { kind: 'honoured' };

export function refused(reason: string): Verdict {
  return { kind: 'refused', reason };
}

export function bound(reason: string): Verdict {
  return { kind: 'bound', reason };
}

/** Honoured on both targets. */
export function yes(...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: honoured, cluster: honoured }));
}

/** Refused on both, for the same reason. */
export function no(reason: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: refused(reason), cluster: refused(reason) }));
}

/** Honoured on a laptop; on a cluster it ties the service to a node. */
export function tied(reason: string, ...keys: readonly string[]): KeyRow[] {
  return keys.map((key) => ({ key, laptop: honoured, cluster: bound(reason) }));
}

/** Honoured with some values only. */
export function some(key: string, values: ValueRule): KeyRow {
  return { key, laptop: honoured, cluster: honoured, values };
}

/** A rule for a text, or each text of a list, that must be one of a few or begin with one of a few. */
export function oneOf(words: readonly string[], reason: string, beginnings: readonly string[] = []): ValueRule {
  const fits = (text: string): boolean => words.includes(text) || beginnings.some((beginning) => text.startsWith(beginning));
  return {
    words: [...words, ...beginnings.map((beginning) => `${beginning}…`)].map((word) => `\`${word}\``).join(' '),
    check: (value) => {
      const texts = Array.isArray(value) ? value.map(String) : [String(value)];
      const bad = texts.find((text) => !fits(text));
      return bad === undefined ? honoured : refused(`${bad}: ${reason}`);
    },
  };
}
