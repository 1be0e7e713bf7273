import { allRows } from './check.ts';
import { targets } from './target.ts';
import type { KeyRow, Target } from './target.ts';

/** The table of keys and targets as the page docs/compose-support.md; made from the rows that the program itself uses. */
export function supportPage(): string {
  const rows = [...allRows()].sort((a, b) => (a.key < b.key ? -1 : 1));
  const services = rows.filter((row) => row.key.startsWith('services.*.'));
  const others = rows.filter((row) => !row.key.startsWith('services.*.'));
  return [
    '# What becomes of each key',
    '',
    'Made by `make docs` from the tables in src/spec/targets, which `flotilla compose config --check-target laptop|cluster` uses too.',
    'Every key of the Compose language is read and checked. A target then honours it, or refuses the application with a reason; nothing is dropped in silence.',
    'A key that is not listed is as the key above it.',
    '',
    '- **yes**: it has the effect that the Compose specification gives it.',
    '- **tied**: it has its effect, but ties the service to one node, or to what is on it.',
    '- **no**: the application is not started; the last column says why.',
    '',
    '## Services',
    '',
    ...lines(services, (row) => row.key.slice('services.*.'.length)),
    '',
    '## Everything else',
    '',
    ...lines(others, (row) => row.key),
    '',
  ].join('\n');
}

function lines(rows: readonly KeyRow[], name: (row: KeyRow) => string): string[] {
  return ['| key | laptop | cluster | values, reasons |', '|---|---|---|---|', ...rows.map((row) => `| \`${name(row)}\` | ${targets.map((target) => word(row, target)).join(' | ')} | ${remark(row)} |`)];
}

function word(row: KeyRow, target: Target): string {
  switch (row[target].kind) {
    case 'honoured':
      return row.values === undefined ? 'yes' : 'yes, some values';
    case 'bound':
      return 'tied';
    case 'refused':
      return 'no';
  }
}

function remark(row: KeyRow): string {
  const reasons = targets.flatMap((target) => {
    const verdict = row[target];
    return verdict.kind === 'honoured' ? [] : [verdict.reason];
  });
  return [...new Set([...(row.values === undefined ? [] : [row.values.words]), ...reasons])].join('; ').replaceAll('|', '\\|');
}
