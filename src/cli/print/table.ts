import { plainText } from './plain-text.ts';

/** Columns as Docker prints them: at least 10 wide, three spaces between, the last one free. */
export function formatTable(head: readonly string[], cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(plainText));
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(10, ...all.map((row) => [...(row[column] ?? '')].length + 3)));
  return all
    .map((row) => `${row.map((cell, column) => (column === row.length - 1 ? cell : cell + ' '.repeat((widths[column] ?? 0) - [...cell].length))).join('')}\n`)
    .join('');
}
