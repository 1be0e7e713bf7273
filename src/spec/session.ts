import type { Lookup } from './interpolate/template.ts';
import type { LoadInput, Need, Phases, Provided } from './input.ts';
import { isAbsolutePath, joinPath } from './paths/posix.ts';
import { Report } from './report.ts';
import { readYaml } from './source/read-yaml.ts';
import type { ReadYaml } from './source/read-yaml.ts';
import { Origins } from './source/origins.ts';
import type { Dict } from './source/values.ts';

/** Thrown inside the room: the host is asked for files, and the load begins again. */
export class NeedMore extends Error {}
/** Thrown inside the room: the diagnostics say why. */
export class LoadStopped extends Error {}

/** One load: what the host gave, what was found, what is still wanted. */
export type Session = {
  readonly input: LoadInput;
  readonly phases: Phases;
  readonly report: Report;
  readonly needs: Map<string, Need>;
  readonly readFiles: Set<string>;
  /** Bases of `extends` by file and folder: several services often extend the same. */
  readonly bases: Map<string, FileModel>;
  /** How many files have been included so far, and how many values `extends` copied. */
  readonly counts: { includes: number; copied: number };
};

export type FileModel = { readonly model: Dict; readonly resets: readonly (readonly string[])[] };

/** The place from which a file is read: the project itself, or something that it includes. */
export type Scope = {
  readonly session: Session;
  /** Prefix of relative paths in the model; relative itself in an included project. */
  readonly folder: string;
  /** The same folder, absolute. */
  readonly base: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly phases: Phases;
  /** Files that are being included, outermost first. */
  readonly included: readonly string[];
};

export function newSession(input: LoadInput, phases: Phases): Session {
  return { input, phases, report: new Report(new Origins()), needs: new Map(), readFiles: new Set(), bases: new Map(), counts: { includes: 0, copied: 0 } };
}

export function lookupOf(environment: ReadonlyMap<string, string>): Lookup {
  return (name) => environment.get(name);
}

export function absoluteIn(base: string, path: string): string {
  return isAbsolutePath(path) ? path : joinPath(base, path);
}

/** What is at a path, or undefined (and wanted) while the host has not said. */
export function peek(session: Session, path: string): Provided | undefined {
  const found = session.input.provided.get(path);
  if (found === undefined) session.needs.set(`file ${path}`, { kind: 'file', path });
  else if (found.kind === 'file') session.readFiles.add(path);
  return found;
}

/** What is at a path; ends this round where the host has not said. */
export function demand(session: Session, path: string): Provided {
  const found = peek(session, path);
  if (found === undefined) throw new NeedMore();
  return found;
}

export function followLink(session: Session, path: string): string {
  const found = session.input.links?.get(path);
  if (found !== undefined) return found;
  if (session.input.links === undefined) return path;
  session.needs.set(`link ${path}`, { kind: 'link', path });
  return path;
}

const parsedFiles = new WeakMap<Provided, ReadYaml>();

/** The documents of a file, read once for each content that the host gives. */
export function yamlOf(file: string, provided: Extract<Provided, { kind: 'file' }>): ReadYaml {
  const known = parsedFiles.get(provided);
  if (known !== undefined) return known;
  const read = readYaml(file, provided.content);
  parsedFiles.set(provided, read);
  return read;
}

/** Ends the load where a phase found errors that would make the next one find nonsense, and that can't be cut out (salvage.ts). */
export function stopOnErrors(session: Session): void {
  if (session.report.hasOpenErrors) throw new LoadStopped();
}

export function stop(): never {
  throw new LoadStopped();
}

export function textOfFile(content: string | Uint8Array): string {
  return typeof content === 'string' ? content : new TextDecoder().decode(content);
}
