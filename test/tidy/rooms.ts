import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

export const root: string = join(import.meta.dirname, '..', '..');

/** Who may import whom: the table of docs/architecture.md. `cluster/lower` and `cluster/restart` are the parts of a room that another may use. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  base: [],
  model: ['base'],
  raft: ['base'],
  os: ['base'],
  spec: ['base', 'model'],
  graph: ['base', 'model'],
  cluster: ['base', 'model', 'graph'],
  wire: ['base', 'model', 'os'],
  net: ['base', 'model', 'os'],
  engine: ['base', 'model', 'os', 'net'],
  manager: ['base', 'model', 'raft', 'cluster', 'os', 'wire'],
  agent: ['base', 'model', 'cluster/lower', 'cluster/restart', 'os', 'wire', 'net', 'engine'],
  daemon: ['base', 'model', 'os', 'wire', 'net', 'engine', 'manager', 'agent'],
  cli: ['base', 'model', 'spec', 'graph', 'os', 'wire'],
  web: ['base', 'model', 'spec', 'graph'],
};

/** Third-party packages and the one room each lives in. */
export const packageOwner: Readonly<Record<string, string>> = { yaml: 'spec', ws: 'wire', commander: 'cli', koffi: 'os' };

export const brains: readonly string[] = ['spec', 'graph', 'cluster', 'raft'];

export type SourceFile = { readonly path: string; readonly room: string; readonly text: string; readonly imports: readonly string[] };

export function sourceFiles(): SourceFile[] {
  return walk(join(root, 'src'))
    .filter((path) => path.endsWith('.ts'))
    .map((absolute) => {
      const path = relative(join(root, 'src'), absolute);
      const text = readFileSync(absolute, 'utf8');
      return { path, room: path.split('/')[0] ?? '', text, imports: importsOf(text) };
    });
}

/** Module names after `from` or in `import('…')`; type-only imports count too. */
export function importsOf(text: string): string[] {
  const found = text.matchAll(/(?:^|\n)\s*(?:import|export)\s[^'"`;]*?from\s*['"]([^'"]+)['"]|import\(\s*['"]([^'"]+)['"]\s*\)|(?:^|\n)\s*import\s+['"]([^'"]+)['"]/g);
  return Array.from(found, (match) => match[1] ?? match[2] ?? match[3] ?? '');
}

/** The file with comments and the insides of strings blanked, for word searches. */
export function codeOnly(text: string): string {
  return text
    .replace(/\/\*[\s\S]*?\*\//g, ' ')
    .replace(/(^|[^:'"`\\])\/\/[^\n]*/g, '$1')
    .replace(/'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"/g, "''");
}

export function walk(dir: string): string[] {
  return readdirSync(dir)
    .sort()
    .flatMap((name) => {
      const path = join(dir, name);
      if (name === 'node_modules' || name === 'generated') return [];
      return statSync(path).isDirectory() ? walk(path) : [path];
    });
}
