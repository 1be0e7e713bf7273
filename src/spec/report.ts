import type { Diagnostic } from '../base/diagnostic.ts';
import { limits } from '../base/limits.ts';
import type { Origins, Position } from './source/origins.ts';
import type { Dict, List } from './source/values.ts';

export type Finding = Pick<Diagnostic, 'code' | 'message'> & {
  readonly hint?: string | undefined;
  readonly file?: string | undefined;
  readonly line?: number;
  readonly column?: number;
  readonly length?: number;
  readonly path?: string | undefined;
};

/** Where in the model a finding sits: a child of a container, by key or index. */
export type Spot = {
  readonly container: Dict | List;
  readonly key: string | number;
  readonly part?: 'key' | 'value';
  readonly path?: string;
};

/** What about a service asks whether it has one of several keys: that one of them was refused answers it. */
const sourceKeys: readonly string[] = ['image', 'build', 'provider', 'extends'];

/** Collects what the phases find, and knows what has been taken out of the model since (salvage.ts). */
export class Report {
  readonly #found: Diagnostic[] = [];
  readonly #seen = new Set<string>();
  /** Paths of the errors that nothing has been done about yet; null stands for one without a path. */
  #open: (string | null)[] = [];
  /** What is no longer in the model, or not as it was written, and whether it was a key that nobody knows. */
  readonly #takenOut: { readonly path: string; readonly isUnknownKey: boolean }[] = [];
  readonly #unknownKeys = new Set<string>();
  /** Something is missing that may have held any name. */
  areNamesUnsure = false;
  /** Services may miss what they were to have of another. */
  areBasesUnsure = false;
  readonly origins: Origins;
  /** What is left of the bounds that several files share. */
  readonly left: { ports: number } = { ports: limits.composePortsMax };
  #errors = 0;

  constructor(origins: Origins) {
    this.origins = origins;
  }

  get hasErrors(): boolean {
    return this.#errors > 0;
  }

  /** Errors that make what comes next find nonsense, until they are settled. */
  get hasOpenErrors(): boolean {
    return this.#open.length > 0;
  }

  /** The paths of the open errors, which are so no longer; null where they are too many, or one has none. */
  settle(): readonly string[] | null {
    const open = this.#open;
    this.#open = [];
    if (this.isFull) return null;
    const paths = open.filter((path) => path !== null);
    for (const path of paths) this.#takenOut.push({ path: plainPath(path), isUnknownKey: this.#unknownKeys.has(path) });
    return paths.length === open.length ? paths : null;
  }

  /** Nothing more is kept: what is found from here on need not be worked out. */
  get isFull(): boolean {
    return this.#found.length >= limits.diagnosticsMax;
  }

  get diagnostics(): readonly Diagnostic[] {
    return this.#found;
  }

  error(finding: Finding): void {
    this.#add('error', finding);
  }

  warn(finding: Finding): void {
    this.#add('warning', finding);
  }

  /** An error about a child of a container of the model. */
  errorAt(spot: Spot, finding: Finding): void {
    this.error({ ...this.place(spot), ...finding });
  }

  warnAt(spot: Spot, finding: Finding): void {
    this.warn({ ...this.place(spot), ...finding });
  }

  place(spot: Spot): Partial<Position> & { readonly path?: string } {
    const position = this.origins.at(spot.container, spot.key, spot.part ?? 'value');
    return { ...position, ...(spot.path === undefined ? {} : { path: spot.path }) };
  }

  add(diagnostic: Diagnostic): void {
    this.#add(diagnostic.severity, diagnostic);
  }

  /** Whether an error may be there only because something was taken out: it is told once that is mended. */
  #isFollowUp({ code, path }: Finding): boolean {
    const isReference = code === 'SPEC_UNDEFINED' || code === 'GRAPH_CYCLE';
    if (isReference && this.areNamesUnsure) return true;
    if (path === undefined) return false;
    const own = plainPath(path);
    const isService = /^services\.[^.]+$/.test(own);
    if (isService && this.areBasesUnsure) return true;
    return this.#takenOut.some((one) => {
      if (own === one.path || own.startsWith(`${one.path}.`)) return true;
      if (isReference || !one.path.startsWith(`${own}.`)) return false;
      return !isService || one.isUnknownKey || sourceKeys.includes(one.path.slice(own.length + 1).split('.')[0] ?? '');
    });
  }

  #add(severity: Diagnostic['severity'], finding: Finding): void {
    const { file, line = 0, column = 0, length, path } = finding;
    if (severity === 'error') {
      if (this.#takenOut.length > 0 && this.#isFollowUp(finding)) return;
      this.#errors += 1;
      if (this.#open.length <= limits.diagnosticsMax) this.#open.push(path === undefined || path === '' ? null : path);
      if (path !== undefined && finding.code === 'SPEC_UNKNOWN_KEY') this.#unknownKeys.add(path);
    }
    const message = clip(finding.message);
    const hint = finding.hint === undefined ? undefined : clip(finding.hint);
    const key = `${severity}\0${finding.code}\0${message}\0${file ?? ''}\0${line}\0${column}`;
    if (this.#seen.has(key) || this.#found.length >= limits.diagnosticsMax) return;
    this.#seen.add(key);
    this.#found.push({
      severity,
      code: finding.code,
      message,
      ...(hint === undefined ? {} : { hint }),
      ...(file === undefined ? {} : { file }),
      line,
      column,
      ...(length === undefined ? {} : { length }),
      ...(path === undefined ? {} : { path }),
    });
  }
}

/** Paths are written with `[0]`, `.[0]`, `.[]` and `.0` for the items of lists. */
function plainPath(path: string): string {
  return path.replace(/\.?\[(\d*)\]/g, '.$1');
}

/** A value of the file may be quoted in a message, and be as long as the file. */
function clip(text: string): string {
  return text.length > limits.diagnosticTextMax ? `${text.slice(0, limits.diagnosticTextMax - 1)}…` : text;
}
