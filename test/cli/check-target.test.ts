import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { config } from '../../src/cli/compose-config.ts';
import { ExitWith } from '../../src/cli/context.ts';

const file = `name: shop
services:
  web:
    image: nginx
    gpus: all
    cpuset: "0"
    ports: ["80:80/sctp"]
    deploy: {labels: {a: b}}
`;

type Run = { readonly out: string; readonly err: string; readonly exitCode: number };

async function check(text: string, target: string, options: Readonly<Record<string, unknown>> = {}): Promise<Run> {
  const cwd = mkdtempSync(join(tmpdir(), 'check-target-'));
  writeFileSync(join(cwd, 'compose.yaml'), text);
  const written = { out: '', err: '' };
  const host = {
    env: {}, cwd,
    out: { write: (one: string) => void (written.out += one) },
    err: { write: (one: string) => void (written.err += one), isTty: false },
  };
  try {
    await config(host, {}, [], { checkTarget: target, ...options });
    return { ...written, exitCode: 0 };
  } catch (error) {
    if (error instanceof ExitWith) return { ...written, exitCode: error.exitCode };
    throw error;
  } finally {
    rmSync(cwd, { recursive: true });
  }
}

test('what a laptop refuses is listed with its place, its code, its reason and what to do, and the command ends with 1', async () => {
  const { out, err, exitCode } = await check(file, 'laptop');
  expect(exitCode).toBe(1);
  expect(err).toBe('');
  expect(out).toBe(`compose.yaml:5:5: error CLUSTER_KEY_REFUSED: service web: gpus is not supported: GPUs are not handed to containers yet
  3 |   web:
  4 |     image: nginx
> 5 |     gpus: all
    |     ^^^^
  hint: pass the device files by \`devices\`

compose.yaml:7:13: error CLUSTER_KEY_REFUSED: service web: ports[0].protocol is not supported: sctp: protocols are tcp and udp
  5 |     gpus: all
  6 |     cpuset: "0"
> 7 |     ports: ["80:80/sctp"]
    |             ^^^^^^^^^^^^
  hint: use tcp or udp

compose.yaml:8:14: warning CLUSTER_KEY_UNHEEDED: service web: deploy.labels has no effect: nothing reads labels of a service yet; \`labels\` are those of its containers
  6 |     cpuset: "0"
  7 |     ports: ["80:80/sctp"]
> 8 |     deploy: {labels: {a: b}}
    |              ^^^^^^
`);
});

test('on a cluster what ties a service to a node is listed too, and that there is none yet is said', async () => {
  const { out, err, exitCode } = await check('services: {web: {image: nginx, cpuset: "0"}}\nname: shop\n', 'cluster');
  expect(exitCode).toBe(0);
  expect(out).toMatch(/^compose\.yaml:1:32: warning CLUSTER_KEY_BOUND: service web: cpuset ties the service to a node: /);
  expect(err).toContain('the cluster target is not available in this version');
});

test('a project that is honoured whole prints nothing and ends with 0', async () => {
  expect(await check('services: {web: {image: nginx}}\nname: shop\n', 'laptop')).toEqual({ out: '', err: '', exitCode: 0 });
});

test('as JSON it is one object, sorted by place, and quiet leaves only the exit code', async () => {
  const { out, exitCode } = await check(file, 'laptop', { format: 'json' });
  expect(exitCode).toBe(1);
  const parsed: { target: string; isRefused: boolean; findings: { kind: string; path: string; line: number; column: number; code: string; reason: string; hint: string | null }[] } = JSON.parse(out);
  expect([parsed.target, parsed.isRefused]).toEqual(['laptop', true]);
  expect(parsed.findings.map((one) => [one.kind, one.path, one.line, one.column, one.code, one.reason])).toEqual([
    ['refused', 'services.web.gpus', 5, 5, 'CLUSTER_KEY_REFUSED', 'GPUs are not handed to containers yet'],
    ['refused', 'services.web.ports[0].protocol', 7, 13, 'CLUSTER_KEY_REFUSED', 'sctp: protocols are tcp and udp'],
    ['unheeded', 'services.web.deploy.labels', 8, 14, 'CLUSTER_KEY_UNHEEDED', 'nothing reads labels of a service yet; `labels` are those of its containers'],
  ]);
  expect(await check(file, 'laptop', { quiet: true })).toEqual({ out: '', err: '', exitCode: 1 });
});
