// Loads the hostile cases in a process of its own and prints a line of JSON for each; see hostile.test.ts.
import { parseDocument } from 'yaml';
import { hostileCases } from './hostile-cases.ts';
import { loadFiles } from './load-files.ts';

/** What the same machine takes, at this moment, for a large file without any malice in it: the measure of the others. */
const ordinary = Array.from({ length: 50_000 }, (_, at) => `key${at}: value`).join('\n');
const beforeOrdinary = process.cpuUsage();
parseDocument(ordinary, { uniqueKeys: false });
const ordinarySpent = process.cpuUsage(beforeOrdinary);
const ordinaryMs = (ordinarySpent.user + ordinarySpent.system) / 1000;

for (const [name, make] of Object.entries(hostileCases)) {
  const { files, want } = make();
  const before = process.cpuUsage();
  const result = loadFiles(files, { projectName: { name: 'app', isExplicit: false } });
  const spent = process.cpuUsage(before);
  const diagnostics = result.kind === 'need' ? [] : result.diagnostics;
  const plain: object = {};
  console.log(
    JSON.stringify({
      name,
      want,
      kind: result.kind,
      codes: [...new Set(diagnostics.filter((one) => one.severity === 'error').map((one) => one.code))],
      longest: Math.max(0, ...diagnostics.map((one) => one.message.length)),
      cpuMs: (spent.user + spent.system) / 1000,
      ordinaryMs,
      isClean: !('polluted' in plain) && Object.keys(Object.prototype).length === 0,
    }),
  );
}
