import { familiarName, familiarText, parseAnyReference, parseCanonicalName, parseImageName, parsePullReference, parseReference, referenceName, referenceText } from '../../src/base/image-reference.ts';
import type { ImageReference } from '../../src/base/image-reference.ts';
import type { Parsed } from '../../src/base/parsed.ts';
import { judge } from './set.ts';
import type { Case, CaseResult } from './set.ts';

/** Runs cases/lib/reference.json. */
export function runSet(cases: readonly Case[]): CaseResult[] {
  return cases.map((one) => {
    const outcome = parseAs(String(one['fn']), String(one['ref']));
    return judge(one, outcome.ok ? { ok: true, value: describe(outcome.value) } : outcome);
  });
}

function parseAs(fn: string, text: string): Parsed<ImageReference | { readonly digest: string }> {
  switch (fn) {
    case 'Parse':
      return parseReference(text);
    case 'ParseNormalizedNamed':
      return parseImageName(text);
    case 'ParseDockerRef':
      return parsePullReference(text);
    case 'ParseAnyReference':
      return parseAnyReference(text);
    case 'ParseNamed':
      return parseCanonicalName(text);
    default:
      return { ok: false, message: `unknown function ${fn}` };
  }
}

function describe(reference: ImageReference | { readonly digest: string }): unknown {
  if (!('path' in reference)) return { digest: reference.digest, string: reference.digest };
  const { domain, path, tag, digest } = reference;
  return {
    domain,
    path,
    ...(tag === undefined ? {} : { tag }),
    ...(digest === undefined ? {} : { digest }),
    name: referenceName(reference),
    string: referenceText(reference),
    familiarName: familiarName(reference),
    familiarString: familiarText(reference),
    isNameOnly: tag === undefined && digest === undefined,
  };
}
