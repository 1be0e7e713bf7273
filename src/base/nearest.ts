/**
 * The word nearest to a misspelt one, or nothing where none is near enough: "did you mean".
 * Counts insertions, deletions, changes and swapped neighbours; a third of the letters may be wrong, at least one.
 * Of equals the first of `words` wins.
 */
export function nearestWord(misspelt: string, words: Iterable<string>): string | undefined {
  if (misspelt.length > 64) return undefined;
  const given = plain(misspelt);
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(misspelt.length / 3)) + 1;
  for (const word of words) {
    if (Math.abs(word.length - misspelt.length) > bestDistance) continue;
    const distance = plain(word) === given ? 0 : editDistance(given, plain(word));
    if (distance < bestDistance) {
      best = word;
      bestDistance = distance;
    }
  }
  return best;
}

/** How many insertions, deletions, changes and swaps of neighbours lead from one word to the other. */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let last: number[] = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i += 1) {
    const row = [i];
    for (let j = 1; j <= b.length; j += 1) {
      const isSame = a.charAt(i - 1) === b.charAt(j - 1);
      let cost = Math.min((last[j] ?? 0) + 1, (row[j - 1] ?? 0) + 1, (last[j - 1] ?? 0) + (isSame ? 0 : 1));
      const isSwap = i > 1 && j > 1 && a.charAt(i - 1) === b.charAt(j - 2) && a.charAt(i - 2) === b.charAt(j - 1);
      if (isSwap) cost = Math.min(cost, (before[j - 2] ?? 0) + 1);
      row.push(cost);
    }
    before = last;
    last = row;
  }
  return last[b.length] ?? 0;
}

function plain(word: string): string {
  return word.toLowerCase().replace(/[-_ ]/g, '_');
}
