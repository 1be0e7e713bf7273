import type { Case } from './set.ts';

/** Where we answer otherwise on purpose; docs/conformance.md says the same at more length. */
const differences: readonly { readonly matches: (one: Case) => boolean; readonly reason: string }[] = [
  {
    matches: (one) => String(one['error'] ?? '').includes('MarshalJSON for type types.SSHKey'),
    reason: 'the reference loads `build.ssh` with a path but can not print it as JSON; we print it as `id=path`',
  },
  { matches: (one) => one.id === 'shellwords-040', reason: 'the case runs `go env` of the machine that recorded it' },
];

export function differenceOf(one: Case): string | undefined {
  return differences.find((each) => each.matches(one))?.reason;
}
