import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { isAppError } from '../../src/base/app-error.ts';
import { readDeployment } from '../../src/model/deployment-shape.ts';
import type { Project } from '../../src/model/project.ts';
import { deployment, plainOptions, service } from '../cluster/world.ts';
import { loadFiles } from '../spec/load-files.ts';
import { sampleModel } from '../spec/samples.ts';

function asSent(project: Project): unknown {
  const one = { project, workingDir: '/srv', configFiles: ['/srv/compose.yaml'], serviceHashes: {}, secretData: {}, configData: {}, disabledServices: [], options: plainOptions };
  return JSON.parse(JSON.stringify(one));
}

function problems(value: unknown): string {
  try {
    readDeployment(value);
    return '';
  } catch (error) {
    if (!isAppError(error, 'DAEMON_BAD_REQUEST')) throw error;
    return error.message;
  }
}

describe('what the loader makes is let in', () => {
  test('the examples', () => {
    for (const name of ['fullstack', 'counter', 'hello']) {
      const text = readFileSync(join(import.meta.dirname, '..', '..', 'examples', name, 'compose.yaml'), 'utf8');
      const loaded = loadFiles({ 'compose.yaml': text, '.env': '' }, { environment: new Map([['HOME', '/root'], ['SITE_PORT', '8080'], ['GREETING', 'hello'], ['TITLE', 'x']]) });
      expect(loaded.kind, `${name}: ${JSON.stringify(loaded)}`.slice(0, 1000)).toBe('loaded');
      if (loaded.kind === 'loaded') expect(problems(asSent(loaded.project)), name).toBe('');
    }
  });

  test('whatever else it takes: files drawn from the schema', () => {
    let count = 0;
    for (let seed = 0; seed < 600; seed += 1) {
      const loaded = loadFiles({ 'compose.json': JSON.stringify(sampleModel(seed)) });
      if (loaded.kind !== 'loaded') continue;
      count += 1;
      expect(problems(asSent({ ...loaded.project, name: 'sample' })), `seed ${seed}`).toBe('');
    }
    expect(count).toBeGreaterThan(5);
  });
});

describe('what has another shape is refused, each problem with its path', () => {
  const good = (): Record<string, unknown> => JSON.parse(JSON.stringify(deployment({ web: service({ ports: [{ target: 80, published: '8080' }] }) })));
  const set = (path: readonly (string | number)[], value: unknown): unknown => {
    const one = good();
    let at: unknown = one;
    for (const step of path.slice(0, -1)) at = Reflect.get(Object(at), step);
    Object.defineProperty(at, path.at(-1) ?? '', { value, enumerable: true, configurable: true, writable: true });
    return one;
  };
  const deep = (levels: number): unknown => JSON.parse(`${'['.repeat(levels)}${']'.repeat(levels)}`);
  test.for<[path: readonly (string | number)[], value: unknown, says: string]>([
    [['project'], null, 'deployment.project must be an object, not null'],
    [['project', 'name'], '../x', 'deployment.project.name must be a project name'],
    [['project', 'services', 'web'], [], 'deployment.project.services.web must be an object, not a list'],
    [['project', 'services', 'web', 'ports', 0, 'target'], '80', 'deployment.project.services.web.ports[0].target must be a whole number from 1 to 65535, not "80"'],
    [['project', 'services', 'web', 'ports', 0, 'target'], 65_536, 'not 65536'],
    [['project', 'services', 'web', 'ports', 0, 'target'], undefined, 'not missing'],
    [['project', 'services', 'web', 'ports', 0, 'published'], '80-', 'deployment.project.services.web.ports[0].published must be a port or a range of ports'],
    [['project', 'services', 'web', 'links'], [5], 'deployment.project.services.web.links[0] must be a text, not 5'],
    [['project', 'services', 'web', 'imgae'], 'x', 'deployment.project.services.web.imgae is no key that is known here'],
    [['project', 'services', 'web', 'command'], ['a\0b'], 'deployment.project.services.web.command[0] holds a NUL character'],
    [['project', 'services', '__proto__'], { image: 'x' }, 'deployment.project.services.__proto__ can\'t be a key'],
    [['project', 'services', 'a b'], { command: null, entrypoint: null }, 'deployment.project.services.a b must be a name'],
    [['secretData'], { key: 'not base64!' }, 'deployment.secretData.key must be bytes in base64'],
    [['options', 'scale'], { web: '3' }, 'deployment.options.scale.web must be a number, not "3"'],
    [['options', 'pull'], 'sometimes', 'deployment.options.pull must be one of always, missing, never, policy'],
    [['workingDir'], 7, 'deployment.workingDir must be a text, not 7'],
  ])('%j = %j', ([path, value, says]) => {
    expect(problems(set(path, value))).toContain(says);
  });

  test('nesting without end', () => {
    for (const levels of [61, 100_000, 1_000_000]) expect(problems(set(['project', 'services', 'web', 'x-mine'], deep(levels)))).toContain('is nested more than 60 deep');
  });

  test('all of them at once, and not without end', () => {
    const many = problems(set(['project', 'services', 'web', 'dns'], Array.from({ length: 1000 }, () => 1)));
    expect(many.split('; ')).toHaveLength(20);
  });

  test('a name that every object of JavaScript has is not taken for one that was given', () => {
    const read = readDeployment(good());
    for (const name of ['constructor', 'toString', '__proto__']) expect([read.secretData[name], read.project.services[name], read.options.scale[name], read.project.networks?.[name]]).toEqual([undefined, undefined, undefined, undefined]);
    expect(JSON.parse(JSON.stringify(read))).toEqual(good());
  });

  test('the user\'s own keys may hold anything', () => {
    expect(problems(set(['project', 'services', 'web', 'x-mine'], { a: [null, { b: 1.5 }] }))).toBe('');
  });
});
