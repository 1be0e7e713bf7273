/** What a run met, by name: faults, crashes, elections, answers. Sums over seeds show that a suite still tries what it tried before. */
export type Tally = Record<string, number>;

export function emptyTally(): Tally {
  return {};
}

export function count(tally: Tally, name: string, by = 1): void {
  tally[name] = (tally[name] ?? 0) + by;
}

export function addTally(tally: Tally, more: Readonly<Tally>): void {
  for (const [name, by] of Object.entries(more)) count(tally, name, by);
}

export function describeTally(tally: Readonly<Tally>): string {
  const names = Object.keys(tally).sort();
  const lines: string[] = [];
  for (const name of names) {
    const text = `${tally[name]} ${name}`;
    const last = lines.at(-1);
    if (last === undefined || last.length + text.length > 130) lines.push(text);
    else lines[lines.length - 1] = `${last}, ${text}`;
  }
  return lines.join(',\n');
}

export function isTally(value: unknown): value is Tally {
  return typeof value === 'object' && value !== null && Object.values(value).every((one) => typeof one === 'number');
}
