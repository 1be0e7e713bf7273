/**
 * True where no two items of a list are equal; maps are equal whatever the order of their keys.
 * Linear in the list's size, unlike the validator's own pairwise comparison: a hostile file can hold 100,000 ports.
 */
export function hasOnlyUnique(items: readonly unknown[]): boolean {
  return duplicateOf(items) === undefined;
}

/** The first item that repeats an earlier one, and which. */
export function duplicateOf(items: readonly unknown[]): { readonly index: number; readonly first: number } | undefined {
  const seen = new Map<string, number>();
  for (const [index, item] of items.entries()) {
    const text = canonicalText(item);
    const first = seen.get(text);
    if (first !== undefined) return { index, first };
    seen.set(text, index);
  }
  return undefined;
}

function canonicalText(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `${typeof value}:${String(value)}`;
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  );
}
