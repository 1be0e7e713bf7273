import { sortDiagnostics } from '../base/diagnostic.ts';
import { checkSupport, supportDiagnostics } from '../model/support/check.ts';
import type { Target } from '../model/support/table.ts';
import type { Loaded } from '../spec/input.ts';
import { hasError, printed, type DiagnosticsHost } from './project-diagnostics.ts';
import type { Reader } from './read-project.ts';

export type TargetQuestion = {
  readonly host: DiagnosticsHost;
  readonly loaded: Loaded;
  readonly reader: Reader;
  readonly target: Target;
  readonly format: string;
};

/**
 * What a target would refuse of a project, and what would tie it to a node, each at its place in the file. Out: the text to print; nothing
 * where all is honoured.
 */
export async function checkTarget({ host, loaded, reader, target, format }: TargetQuestion): Promise<{ readonly text: string; readonly isRefused: boolean }> {
  const findings = checkSupport(loaded.project, { target });
  const found = supportDiagnostics(findings).map((one, index) => ({ ...one, ...loaded.locate((findings[index]?.path ?? []).map(String)) }));
  const diagnostics = sortDiagnostics(found);
  if (target === 'cluster') {
    host.err.write('note: the cluster target is not available in this version: several nodes can\'t be joined yet; this is what a cluster will honour by design\n');
  }
  const isRefused = hasError(diagnostics);
  if (format !== 'json') return { text: diagnostics.length === 0 ? '' : await printed(host, diagnostics, reader), isRefused };
  const rows = diagnostics.map((one) => {
    const verdict = findings[found.indexOf(one)]?.verdict;
    return { kind: verdict?.kind, path: one.path, file: one.file ?? null, line: one.line, column: one.column, code: one.code, reason: verdict?.reason, hint: one.hint ?? null, message: one.message };
  });
  return { text: `${JSON.stringify({ target, isRefused, findings: rows }, null, 2)}\n`, isRefused };
}
