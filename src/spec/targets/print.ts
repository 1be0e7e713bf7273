import { supportRows } from '../../model/support/check.ts';
import { targets, type KeyRow, type Target, type Verdict } from '../../model/support/table.ts';

/** The table of keys and targets as the page docs/compose-support.md; made from the rows that the program itself uses. */
export function supportPage(): string {
  const rows = [...supportRows].sort((a, b) => (a.key < b.key ? -1 : 1));
  const services = rows.filter((row) => row.key.startsWith('services.*.'));
  const others = rows.filter((row) => !row.key.startsWith('services.*.'));
  return [
    '# What becomes of each key',
    '',
    'Made by `make docs` from the table in src/model/support, by which `flotilla compose up` refuses and `flotilla compose config --check-target laptop|cluster` answers.',
    'Every key of the Compose language is read and checked. A target then honours it, or refuses the application with a reason; nothing is dropped in silence.',
    '',
    '- **yes**: it has the effect that the Compose specification gives it.',
    '- **some**: so it is with the values named; the others are refused.',
    '- **tied**: it has its effect, but ties the service to one node, or to what is on it.',
    '- **settled**: by whom, or by what, is in the last column; nothing of it is left for a container.',
    '- **no effect**: the application runs without it, and a warning says so.',
    '- **no**: the application is not started; the last column says why, and what to do instead.',
    '',
    '`laptop` is a single node. **The cluster target is not available in this version**: several nodes can\'t be joined yet. Its column',
    'says what a cluster will honour, tie or refuse by design, so that a file can be written for both.',
    '',
    `## Services (${services.filter((row) => row.key.split('.').length === 3).length} keys)`,
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
      return row.values === undefined ? 'yes' : 'some';
    case 'bound':
      return 'tied';
    case 'resolved':
      return 'settled';
    case 'unheeded':
      return 'no effect';
    case 'refused':
      return 'no';
  }
}

function remark(row: KeyRow): string {
  return [...new Set([...(row.values === undefined ? [] : [row.values.words]), ...targets.map((target) => textOf(row[target]))])].filter((text) => text !== '').join('; ').replaceAll('|', '\\|');
}

function textOf(verdict: Verdict): string {
  switch (verdict.kind) {
    case 'honoured':
      return verdict.note ?? '';
    case 'bound':
    case 'unheeded':
      return verdict.reason;
    case 'resolved':
      return verdict.by;
    case 'refused':
      return `${verdict.reason}: ${verdict.hint}`;
  }
}
