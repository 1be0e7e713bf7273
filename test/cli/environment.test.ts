import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readSettings } from '../../src/cli/compose/settings.ts';
import { refuseOtherMachine } from '../../src/cli/daemon-client.ts';
import { readDockerConfig } from '../../src/cli/docker-config.ts';
import { createProgressPrinter, withoutOrphans } from '../../src/cli/print/progress.ts';
import { findProject } from '../../src/cli/read-project.ts';

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'flotilla-environment-'));
  for (const [path, text] of Object.entries({
    'compose.yaml': 'services: {a: {image: busybox}}', '.env': 'TAG=top', 'sub/keep': '', 'own/.env': 'WHO=own',
    'other/compose.yaml': 'services: {a: {image: busybox}}', 'other/.env': 'TAG=other\nWHO=$TAG-other', 'settings/.env': 'COMPOSE_PROGRESS=json\nCOMPOSE_IGNORE_ORPHANS=true',
  })) {
    mkdirSync(join(dir, path, '..'), { recursive: true });
    writeFileSync(join(dir, path), text);
  }
});
afterAll(() => rmSync(dir, { recursive: true }));

// Expected values: Docker Compose 2.40 with the same files.
describe('.env is read in the current folder and in that of the project; what is read first wins', () => {
  test.for<[name: string, cwd: string, flags: Parameters<typeof findProject>[1], env: Record<string, string>, TAG: string | undefined, WHO: string | undefined]>([
    ['in the folder of the project', '.', {}, {}, 'top', undefined],
    ['below it, with none there', 'sub', {}, {}, 'top', undefined],
    ['below it, with one there', 'own', {}, {}, 'top', 'own'],
    ['a file named by a flag: only beside it', '.', { file: ['other/compose.yaml'] }, {}, 'other', 'other-other'],
    ['a file named by a variable: both', '.', {}, { COMPOSE_FILE: 'other/compose.yaml' }, 'top', 'top-other'],
    ['a folder named by a flag: only there', '.', { projectDirectory: 'other' }, {}, 'other', 'other-other'],
    ['env files named: only they', 'sub', { envFile: ['../own/.env'] }, {}, undefined, 'own'],
    ['env files named by a variable: only they', 'sub', {}, { COMPOSE_ENV_FILES: '../own/.env' }, undefined, 'own'],
    ['switched off', 'sub', {}, { COMPOSE_DISABLE_ENV_FILE: '1' }, undefined, undefined],
    ['the process wins', 'sub', {}, { TAG: 'process' }, 'process', undefined],
  ])('%s', ([, cwd, flags, env, tag, who]) => {
    const { environment } = findProject({ cwd: join(dir, cwd), env }, flags).input;
    expect([environment.get('TAG'), environment.get('WHO')]).toEqual([tag, who]);
  });
});

describe('COMPOSE_… variables count as flags that were not given', () => {
  const settings = (env: Record<string, string>, cwd = 'sub', command = 'up'): ReturnType<typeof readSettings> => readSettings({ cwd: join(dir, cwd), env }, {}, command);
  test('of the process, and below them of .env', () => {
    expect(settings({}, 'settings').settings).toMatchObject({ progress: 'json', areOrphansIgnored: true, areOrphansRemoved: false });
    expect(settings({ COMPOSE_PROGRESS: 'plain', COMPOSE_IGNORE_ORPHANS: '', COMPOSE_REMOVE_ORPHANS: 'TRUE', COMPOSE_STATUS_STDOUT: '1', COMPOSE_ANSI: 'never' }, 'settings').settings).toEqual({ progress: 'plain', ansi: 'never', isStatusOnStdout: true, areOrphansIgnored: false, areOrphansRemoved: true });
    expect(readSettings({ cwd: dir, env: { COMPOSE_PROGRESS: 'plain' } }, { progress: 'quiet' }, 'up').settings.progress).toBe('quiet');
  });
  test.for([['COMPOSE_PROGRESS', 'loud', 'CLI_USAGE'], ['COMPOSE_ANSI', 'perhaps', 'CLI_USAGE'], ['COMPOSE_PARALLEL_LIMIT', 'many', 'CLI_USAGE'], ['COMPOSE_COMPATIBILITY', 'true', 'CLI_NOT_YET']] as const)('%s=%s is refused', ([name, value, code]) => {
    expect(() => settings({ [name]: value })).toThrow(expect.objectContaining({ code, message: expect.stringContaining(name) }));
  });
  test.for([['COMPOSE_PARALLEL_LIMIT', '4'], ['COMPOSE_CONVERT_WINDOWS_PATHS', '1'], ['COMPOSE_HTTP_TIMEOUT', '120'], ['COMPOSE_MENU', '1']] as const)('of %s=%s is said that it changes nothing', ([name, value]) => {
    expect(settings({ [name]: value }).findings).toMatchObject([{ severity: 'warning', code: 'CLI_VARIABLE_UNHEEDED', message: expect.stringContaining(name) }]);
  });
  test.for([['COMPOSE_PARALLEL_LIMIT', '-1'], ['COMPOSE_COMPATIBILITY', 'false'], ['COMPOSE_MENU', 'false'], ['COMPOSE_EXPERIMENTAL', '0']] as const)('%s=%s is what is done anyway', ([name, value]) => {
    expect(settings({ [name]: value }).findings).toEqual([]);
  });
});

test('COMPOSE_IGNORE_ORPHANS leaves out the warning of orphans, and no other', () => {
  let text = '';
  const printer = withoutOrphans(createProgressPrinter({ mode: 'plain', out: { write: (one) => void (text += String(one)), isTty: false, columns: () => 80, rows: () => 24 }, title: 'up', isColoured: false, nowMs: () => 0, isDryRun: false }));
  for (const code of ['CLUSTER_ORPHANS', 'CLUSTER_KEY_UNHEEDED']) printer.event({ kind: 'warning', code, message: 'x' });
  expect(text).toBe('WARN CLUSTER_KEY_UNHEEDED: x\n');
});

describe('what was meant for another machine is not done on this one', () => {
  test.for([['DOCKER_HOST', 'ssh://admin@server'], ['DOCKER_HOST', 'tcp://10.0.0.1:2375'], ['DOCKER_CONTEXT', 'production']] as const)('%s=%s is refused', ([name, value]) => {
    expect(() => refuseOtherMachine({ [name]: value })).toThrow(expect.objectContaining({ code: 'CLI_NOT_YET', message: expect.stringContaining(name) }));
    expect(() => refuseOtherMachine({ [name]: value, FLOTILLA_SOCKET: '/run/own.sock' })).not.toThrow();
  });
  test('a user name or password in it is not printed', () => {
    expect(() => refuseOtherMachine({ DOCKER_HOST: 'tcp://root:hunter2@server:2375' })).toThrow('DOCKER_HOST is tcp://server:2375,');
  });
  test.for<Record<string, string>>([{}, { DOCKER_HOST: '' }, { DOCKER_HOST: 'unix:///run/user/1000/docker.sock' }, { DOCKER_CONTEXT: 'default', DOCKER_HOST: 'tcp://10.0.0.1:2375' }])('%o is no obstacle', (env) => {
    expect(() => refuseOtherMachine(env)).not.toThrow();
  });

  const withConfig = (config: unknown, contexts: Readonly<Record<string, string>> = {}): string => {
    const folder = mkdtempSync(join(dir, 'docker-'));
    writeFileSync(join(folder, 'config.json'), typeof config === 'string' ? config : JSON.stringify(config));
    for (const [name, Host] of Object.entries(contexts)) {
      const meta = join(folder, 'contexts/meta', createHash('sha256').update(name).digest('hex'));
      mkdirSync(meta, { recursive: true });
      writeFileSync(join(meta, 'meta.json'), JSON.stringify({ Name: name, Endpoints: { docker: { Host, SkipTLSVerify: false } } }));
    }
    return folder;
  };

  test('the context that docker has chosen for good counts as the variable does', () => {
    const contexts = { far: 'ssh://deploy:hunter2@server', near: 'unix:///home/me/.docker/desktop/docker.sock' };
    const far = withConfig({ currentContext: 'far' }, contexts);
    expect(() => refuseOtherMachine({ DOCKER_CONFIG: far })).toThrow(expect.objectContaining({ code: 'CLI_NOT_YET', message: "docker's current context is far (ssh://server), and this version works on its own machine only", hint: expect.stringContaining('DOCKER_CONTEXT=default') }));
    for (const env of [{ DOCKER_CONTEXT: 'default' }, { DOCKER_HOST: 'unix:///run/docker.sock' }, { FLOTILLA_SOCKET: '/run/own.sock' }]) expect(() => refuseOtherMachine({ DOCKER_CONFIG: far, ...env })).not.toThrow();
    for (const config of [{ currentContext: 'near' }, { currentContext: 'default' }, { currentContext: 'gone' }, { currentContext: 7 }, {}, '{']) expect(() => refuseOtherMachine({ DOCKER_CONFIG: withConfig(config, contexts) })).not.toThrow();
  });

  test("docker's proxies become variables in both spellings", () => {
    const folder = withConfig({ proxies: { default: { httpProxy: 'http://proxy:3128', noProxy: 'localhost,.lan', ftpProxy: '' }, 'tcp://other': { httpProxy: 'http://no:1' } } });
    expect(readDockerConfig({ DOCKER_CONFIG: folder }).proxyVariables).toEqual({ HTTP_PROXY: 'http://proxy:3128', http_proxy: 'http://proxy:3128', NO_PROXY: 'localhost,.lan', no_proxy: 'localhost,.lan' });
    expect(readDockerConfig({ HOME: join(folder, 'none') })).toEqual({ remoteContext: null, proxyVariables: {} });
  });
});
