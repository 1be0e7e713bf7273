import { serviceKeySupport, serviceSubkeySupport, topLevelKeySupport, type KeySupport } from '../../model/support.ts';
import { valueRules } from '../../model/support-values.ts';
import { ties } from './ties.ts';

/** The page docs/compose-support.md, made from the tables that refuse and bind. */
export function supportPage(): string {
  return [
    '# What becomes of each key',
    '',
    'Made by `make docs` from src/model/support.ts and src/spec/targets/ties.ts: what `flotilla compose up` refuses, and what `flotilla compose config',
    '--check-target laptop|cluster` says of a file of yours. Every key of the Compose language is read and checked; it is then honoured, or the application is',
    'refused before anything starts, with the place in the file and the reason. Nothing is dropped in silence.',
    '',
    '- **yes**: it has the effect that the Compose specification gives it. A key that is not listed is as the key above it.',
    '- **some**: some of its values are honoured, those in the last column; others are refused.',
    '- **tied** (cluster): it has its effect, but ties the service to one node, or to what is on it.',
    '- **no effect**: the application runs without it, and a warning says so.',
    '- **no**: the application is refused; the last column says why, and what to do.',
    '',
    '*Laptop* is one node. The cluster of several is not there yet; its column says what will be so beside.',
    '',
    '## Services',
    '',
    ...lines({ ...serviceKeySupport, ...serviceSubkeySupport }, true),
    '',
    '## Everything else',
    '',
    ...lines(topLevelKeySupport, false),
    '',
  ].join('\n');
}

function lines(table: Readonly<Record<string, KeySupport>>, isService: boolean): string[] {
  const keys = new Set([...Object.keys(table), ...(isService ? Object.keys(ties) : [])]);
  return ['| key | laptop | cluster | values, reasons |', '|---|---|---|---|', ...[...keys].sort().map((key) => row(key, table[key] ?? { kind: 'honoured' }, isService ? ties[key] : undefined))];
}

function row(key: string, support: KeySupport, tie: (typeof ties)[string] | undefined): string {
  const word = wordOf(support);
  const onCluster = tie === undefined || support.kind === 'refused' ? word : tie.applies === undefined ? 'tied' : `${word}, or tied`;
  const remark = [remarkOf(key, support), ...(tie === undefined ? [] : [`on a cluster: ${tie.reason}`])].filter((one) => one !== '').join('; ');
  return `| \`${key}\` | ${word} | ${onCluster} | ${remark.replaceAll('|', '\\|')} |`;
}

function wordOf(support: KeySupport): string {
  switch (support.kind) {
    case 'honoured':
    case 'resolved':
      return 'yes';
    case 'partly':
      return 'some';
    case 'unheeded':
      return 'no effect';
    case 'refused':
      return 'no';
  }
}

function remarkOf(key: string, support: KeySupport): string {
  switch (support.kind) {
    case 'honoured':
      return support.note ?? '';
    case 'resolved':
      return `read by ${support.by}`;
    case 'partly':
      return `${valueRules[key]?.words ?? ''}: ${support.reason}`;
    case 'unheeded':
      return support.reason;
    case 'refused':
      return `${support.reason}: ${support.hint}`;
  }
}
