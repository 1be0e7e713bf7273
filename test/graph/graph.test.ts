import { describe, expect, test } from 'vitest';
import { diagnoseCycles } from '../../src/graph/diagnose.ts';
import { graphOf } from '../../src/graph/graph.ts';
import type { Graph } from '../../src/graph/graph.ts';
import { cyclesOf, restartedWith, startOrder, stopOrder, withDependencies, withDependents } from '../../src/graph/order.ts';
import { printGraph } from '../../src/graph/print.ts';
import type { Dependency, Service } from '../../src/model/project.ts';
import { cpuMs } from '../cpu-time.ts';
import { fc } from '../property.ts';

/** `web: db(healthy) cache(optional)`, one service a line; words in brackets set the edge. */
function read(text: string): Graph {
  const services: Record<string, Service> = {};
  for (const line of text.trim().split('\n')) {
    const [name = '', rest = ''] = line.trim().split(/:\s*/);
    const depends: Record<string, Dependency> = {};
    for (const word of rest.split(' ').filter((one) => one !== '')) {
      const [to = '', ...options] = word.split(/[(,)]/);
      depends[to] = {
        condition: options.includes('healthy') ? 'service_healthy' : options.includes('completed') ? 'service_completed_successfully' : 'service_started',
        required: !options.includes('optional'),
        ...(options.includes('restart') ? { restart: true } : {}),
      };
    }
    services[name] = { command: null, entrypoint: null, depends_on: depends };
  }
  return graphOf({ services });
}

const shop = read(`
  web: api(healthy) cache(optional)
  api: db(healthy,restart) migrate(completed)
  migrate: db(healthy)
  cache:
  db:
`);

describe('order', () => {
  test('a level needs only earlier levels', () => {
    expect(startOrder(shop)).toEqual({ ok: true, levels: [['cache', 'db'], ['migrate'], ['api'], ['web']] });
  });

  test('stopping goes the other way', () => {
    expect(stopOrder(shop)).toEqual({ ok: true, levels: [['web'], ['api'], ['migrate'], ['cache', 'db']] });
  });

  test('what a service needs, with and without what is optional', () => {
    expect(withDependencies(shop, ['web'], { withOptional: false })).toEqual(['api', 'db', 'migrate', 'web']);
    expect(withDependencies(shop, ['web'], { withOptional: true })).toEqual(['api', 'cache', 'db', 'migrate', 'web']);
  });

  test('who needs a service', () => {
    expect(withDependents(shop, ['migrate'])).toEqual(['api', 'migrate', 'web']);
  });

  test('a restart goes only along edges that ask for it', () => {
    expect(restartedWith(shop, ['db'])).toEqual(['api']);
    expect(restartedWith(shop, ['cache'])).toEqual([]);
  });

  test('a shared namespace is a need, and restarts with its holder', () => {
    const base: Service = { command: null, entrypoint: null };
    const graph = graphOf({ services: { app: { ...base, network_mode: 'service:vpn', pid: 'host' }, log: { ...base, links: ['app:a'] }, vpn: base } });
    expect(startOrder(graph)).toEqual({ ok: true, levels: [['vpn'], ['app'], ['log']] });
    expect(restartedWith(graph, ['vpn'])).toEqual(['app']);
  });
});

describe('circles', () => {
  test.for([
    ['one service', 'a: a', ['a']],
    ['two services', 'a: b\nb: a', ['a b']],
    ['two circles with a service in common', 'a: b c\nb: a\nc: a', ['a b', 'a c']],
    ['a circle in a circle', 'a: b\nb: c\nc: a b', ['a b c', 'b c']],
    ['all circles of three', 'a: b c\nb: a c\nc: a b', ['a b', 'a b c', 'a c', 'a c b', 'b c']],
    ['none', 'a: b c\nb: c\nc:', []],
  ] as const)('%s', ([, text, cycles]) => {
    expect(cyclesOf(read(text)).map((cycle) => cycle.join(' '))).toEqual(cycles);
  });

  test('are told as a path', () => {
    expect(diagnoseCycles(read('a: b\nb: c\nc: a')).map((one) => one.message)).toEqual(['services depend on each other in a circle: a → b → c → a']);
  });

  test('are the same as found by trying every path, in any small graph', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(5), fc.nat(5)), { maxLength: 14 }), (pairs) => {
        const names = ['a', 'b', 'c', 'd', 'e', 'f'];
        const text = names.map((name, i) => `${name}: ${pairs.filter(([from]) => from === i).map(([, to]) => names[to]).join(' ')}`).join('\n');
        const found = cyclesOf(read(text)).map((cycle) => cycle.join(' '));
        const all = everyCycle(pairs).map((cycle) => cycle.map((i) => names[i]).join(' ')).sort();
        expect(found).toEqual(all.length <= 20 ? all : found.filter((one) => all.includes(one)));
        expect(found.length).toBe(Math.min(20, all.length));
      }),
    );
  });

  test('10,000 services in a chain or in one circle take little time and no stack', () => {
    const size = 10_000;
    const chain = read(Array.from({ length: size }, (_, i) => `s${i}: ${i === 0 ? '' : `s${i - 1}`}`).join('\n'));
    const ring = read(Array.from({ length: size }, (_, i) => `s${i}: s${(i + 1) % size}`).join('\n'));
    expect(cpuMs(() => {
      const order = startOrder(chain);
      expect(order.ok && order.levels.length).toBe(size);
      expect(cyclesOf(ring).map((cycle) => cycle.length)).toEqual([size]);
    })).toBeLessThan(1_000);
  });

  test('a knot with more circles than there is time for still gives some', () => {
    const names = Array.from({ length: 30 }, (_, i) => `s${i}`);
    const graph = read(names.map((name) => `${name}: ${names.filter((one) => one !== name).join(' ')}`).join('\n'));
    expect(cyclesOf(graph)).toHaveLength(20);
  });
});

describe('pictures', () => {
  test('dot', () => {
    expect(printGraph(read('web: db(healthy) log(optional)\ndb:\nlog:'), 'dot')).toBe(
      'digraph services {\n  rankdir=LR;\n  "db";\n  "log";\n  "web";\n  "web" -> "db" [label="healthy"];\n  "web" -> "log" [label="started", style=dashed];\n}\n',
    );
  });

  test('mermaid', () => {
    expect(printGraph(read('web: db(healthy)\ndb:'), 'mermaid')).toBe('flowchart LR\n  s0["db"]\n  s1["web"]\n  s1 -->|healthy| s0\n');
  });

  test('json holds levels, or circles where there are some', () => {
    expect(JSON.parse(printGraph(read('a: b\nb:'), 'json'))).toEqual({
      services: ['a', 'b'],
      edges: [{ from: 'a', to: 'b', reason: 'depends_on', condition: 'service_started', required: true, restart: false }],
      levels: [['b'], ['a']],
    });
    expect(JSON.parse(printGraph(read('a: a'), 'json'))).toMatchObject({ cycles: [['a']] });
  });
});

function everyCycle(pairs: readonly (readonly [number, number])[]): number[][] {
  const cycles: number[][] = [];
  const edges = new Set(pairs.map(([from, to]) => `${from} ${to}`));
  const walk = (path: number[]): void => {
    const [first = 0] = path;
    const last = path[path.length - 1] ?? 0;
    if (edges.has(`${last} ${first}`)) cycles.push(path);
    for (let i = first + 1; i < 6; i += 1) if (!path.includes(i) && edges.has(`${last} ${i}`)) walk([...path, i]);
  };
  for (let i = 0; i < 6; i += 1) walk([i]);
  return cycles;
}
