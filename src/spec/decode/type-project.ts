import type { Project } from '../../model/project.ts';
import type { Report } from '../report.ts';
import { newDict } from '../source/values.ts';
import type { Dict } from '../source/values.ts';
import { readStruct } from './kinds.ts';
import { projectFields } from './tables.ts';

/** Reads the model as the types of the canonical form. Errors: SPEC_BAD_VALUE for each value that does not fit. */
export function typeProject(model: Dict, name: string, report: Report): Project {
  const named = newDict();
  Object.assign(named, model);
  report.origins.carry(named, model);
  named['name'] = name;
  const read = readStruct(projectFields, named, { container: model, key: '', parent: undefined, report }) ?? newDict();
  if (!('name' in read)) read['name'] = '';
  return asProject(read);
}

/** NOTE: the one cast of this room from values to types: every field was just read by the table that mirrors the type. */
function asProject(read: Dict): Project {
  return read as unknown as Project;
}
