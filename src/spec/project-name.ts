import { isMap, isScalar } from 'yaml';
import { interpolate } from './interpolate/template.ts';
import { demand, lookupOf, yamlOf } from './session.ts';
import type { Session } from './session.ts';

/** Lower case, without the characters that a name can't have, and not beginning with `_` or `-`. */
export function normalizeName(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9_-]/g, '').replace(/^[_-]+/, '');
}

/**
 * The project's name: the explicit one, else the last `name:` of the files, else the given one (the folder's).
 * Empty where there is none at all.
 */
export function projectNameOf(session: Session): string {
  const { input, phases, report } = session;
  const given = input.projectName;
  if (given?.isExplicit === true) {
    if (normalizeName(given.name) !== given.name) {
      const proposal = normalizeName(given.name);
      report.error({ code: 'SPEC_BAD_NAME', message: `the project name \`${given.name}\` may only hold lowercase letters, digits, - and _, and begins with a letter or digit`, hint: proposal === '' ? undefined : `Use \`${proposal}\`.` });
    }
    return given.name;
  }
  const written = nameInFiles(session);
  if (written === '') return given?.name ?? '';
  let name = written;
  if (phases.interpolate) {
    const result = interpolate(written, lookupOf(input.environment));
    if (!result.ok) {
      report.error({ code: result.error.kind === 'required' ? 'SPEC_VARIABLE_REQUIRED' : 'SPEC_INTERPOLATION', message: `name: ${result.error.message}`, file: input.files[0], line: 0, column: 0, path: 'name' });
      return '';
    }
    name = result.value;
  }
  // A name that is written and comes out empty is a mistake, not a reason to fall back.
  return phases.normalize ? normalizeName(name) : name;
}

/** The last `name:` that is not empty, as it is written. */
function nameInFiles(session: Session): string {
  let name = '';
  for (const file of session.input.files) {
    const provided = demand(session, file);
    if (provided.kind !== 'file') continue;
    for (const { document } of yamlOf(file, provided).documents) {
      if (!isMap(document.contents)) continue;
      const pair = document.contents.items.find((one) => isScalar(one.key) && one.key.value === 'name');
      const text = isScalar(pair?.value) && typeof pair.value.value === 'string' ? pair.value.value : '';
      if (text !== '' && !(isScalar(pair?.value) && pair.value.type === 'PLAIN' && ['~', 'null', 'Null', 'NULL'].includes(text))) name = text;
    }
  }
  return name;
}
