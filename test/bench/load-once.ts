// Loads the project of a folder and prints it as YAML; writes how many milliseconds that took.
import { load } from '../../src/spec/load.ts';
import { printYaml } from '../../src/spec/print/yaml.ts';
import { findProject, newReader, runLoader } from '../../src/cli/read-project.ts';

const folder = process.argv[2] ?? '.';
const began = performance.now();
const project = findProject({ env: {}, cwd: folder }, {});
const result = runLoader(newReader(), ({ provided, links }) => load({ ...project.input, phases: { discardEnvFiles: true, dropUnused: true }, provided, links }));
if (result.kind === 'failed') throw new Error(JSON.stringify(result.diagnostics));
const text = printYaml(result.project, { escapeDollars: true });
const tookMs = performance.now() - began;
if (!text.includes('service999:')) throw new Error('the project is not whole');
process.stdout.write(String(tookMs));
