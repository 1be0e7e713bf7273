/** A table of path patterns, cut at the dots, so that a walk over a model finds its rule without comparing paths. */
export type RuleTree<T> = {
  rule: T | undefined;
  readonly literal: Map<string, RuleTree<T>>;
  star: RuleTree<T> | undefined;
};

/** `*` matches any key and any item of a list (whose step is `[]`). Patterns of one table never disagree at a `*`. */
export function ruleTree<T>(table: Readonly<Record<string, T>>): RuleTree<T> {
  const root: RuleTree<T> = branch();
  for (const [pattern, rule] of Object.entries(table)) {
    let at = root;
    for (const part of pattern.split('.')) at = grow(at, part);
    at.rule = rule;
  }
  return root;
}

export function step<T>(tree: RuleTree<T> | undefined, key: string): RuleTree<T> | undefined {
  if (tree === undefined) return undefined;
  return tree.literal.get(key) ?? tree.star;
}

/** The branch below a pattern, as `services.x`. */
export function descend<T>(tree: RuleTree<T>, ...keys: readonly string[]): RuleTree<T> | undefined {
  let at: RuleTree<T> | undefined = tree;
  for (const key of keys) at = step(at, key);
  return at;
}

export function hasRules<T>(tree: RuleTree<T> | undefined): tree is RuleTree<T> {
  return tree !== undefined && (tree.rule !== undefined || tree.star !== undefined || tree.literal.size > 0);
}

function branch<T>(): RuleTree<T> {
  return { rule: undefined, literal: new Map(), star: undefined };
}

function grow<T>(at: RuleTree<T>, part: string): RuleTree<T> {
  if (part === '*') {
    at.star ??= branch();
    return at.star;
  }
  const known = at.literal.get(part);
  if (known !== undefined) return known;
  const made: RuleTree<T> = branch();
  at.literal.set(part, made);
  return made;
}
