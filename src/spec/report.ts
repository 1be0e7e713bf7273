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

/** Collects what the phases find. A phase that found an error ends the load; all its findings are kept. */
export class Report {
  readonly #found: Diagnostic[] = [];
  readonly #seen = new Set<string>();
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

  #add(severity: Diagnostic['severity'], finding: Finding): void {
    if (severity === 'error') this.#errors += 1;
    const { file, line = 0, column = 0, length, path } = finding;
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

/** A value of the file may be quoted in a message, and be as long as the file. */
function clip(text: string): string {
  return text.length > limits.diagnosticTextMax ? `${text.slice(0, limits.diagnosticTextMax - 1)}…` : text;
}
