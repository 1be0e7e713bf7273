import { execFileSync, spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { checked, libcFunction } from '../../src/os/libc.ts';
import { memoryFile } from '../../src/os/memory-file.ts';
import type { ProcessSetup } from './store-process.ts';

/** EXT4_IOC_SHUTDOWN, and its EXT4_GOING_FLAGS_NOLOGFLUSH. */
const shutDownFileSystem = 0x8004587d;
const withoutLog = 2;

/** Managers as real processes, each in a network namespace and on a small file system of its own. Needs root; cleans up after itself. */
export class ChaosCluster {
  readonly root: string;
  readonly tag: string;
  readonly managers: Manager[] = [];
  readonly #isIsolated: boolean;

  constructor(root: string, isIsolated: boolean) {
    this.root = root;
    this.tag = `fc${process.pid % 10_000}`;
    this.#isIsolated = isIsolated;
    mkdirSync(root, { recursive: true });
    if (isIsolated) {
      // NOTE: the bridge is in a namespace of its own, where no rules of the host filter it.
      sh('ip', 'netns', 'add', this.hub);
      sh('ip', '-n', this.hub, 'link', 'add', 'br0', 'type', 'bridge');
      sh('ip', '-n', this.hub, 'link', 'set', 'br0', 'up');
    }
  }

  get hub(): string {
    return `${this.tag}hub`;
  }

  async grow(count: number): Promise<void> {
    for (let at = 1; at <= count; at += 1) {
      const manager = new Manager(this, at, this.#isIsolated);
      this.managers.push(manager);
      if (at === 1) await manager.start();
      else {
        const memberId = `member${at}`;
        await this.managers[0]?.ask({ call: { kind: 'join', memberId, address: `${manager.host}:7000`, featureLevel: 1 } });
        const { identity } = (await this.managers[0]?.ask({ invite: memberId })) as { identity: ProcessSetup['identity'] };
        manager.identity = identity;
        await manager.start();
      }
      await until(async () => ((await this.managers[0]?.ask({ status: true })) as { status: { members: { role: string }[] } }).status.members.filter((one) => one.role === 'voter').length === at);
    }
  }

  destroy(): void {
    for (const manager of this.managers) manager.destroy();
    if (this.#isIsolated) quiet('ip', 'netns', 'del', this.hub);
    rmSync(this.root, { recursive: true, force: true });
  }
}

export class Manager {
  readonly number: number;
  readonly host: string;
  readonly dir: string;
  readonly #cluster: ChaosCluster;
  readonly #isIsolated: boolean;
  identity: ProcessSetup['identity'] = null;
  #child: ChildProcess | null = null;
  #socket: Socket | null = null;
  #waiting: Map<number, (value: unknown) => void> = new Map();
  #id = 0;
  #images = 0;
  #image: string;
  exitCode: number | null = null;

  constructor(cluster: ChaosCluster, number: number, isIsolated: boolean) {
    this.#cluster = cluster;
    this.number = number;
    this.#isIsolated = isIsolated;
    this.host = isIsolated ? `10.231.77.${number}` : '127.0.0.1';
    this.dir = join(cluster.root, `m${number}`);
    this.#image = `${this.dir}.img`;
    mkdirSync(this.dir, { recursive: true });
    if (!isIsolated) return;
    const { tag } = cluster;
    sh('ip', 'netns', 'add', this.netns);
    sh('ip', '-n', cluster.hub, 'link', 'add', `${tag}v${number}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', this.netns);
    sh('ip', '-n', cluster.hub, 'link', 'set', `${tag}v${number}`, 'master', 'br0', 'up');
    sh('ip', '-n', this.netns, 'addr', 'add', `${this.host}/24`, 'dev', 'eth0');
    sh('ip', '-n', this.netns, 'link', 'set', 'eth0', 'up');
    sh('ip', '-n', this.netns, 'link', 'set', 'lo', 'up');
    sh('truncate', '-s', '160M', this.#image);
    sh('mkfs.ext4', '-q', '-F', this.#image);
    sh('mount', '-o', 'loop', this.#image, this.dir);
  }

  get netns(): string {
    return `${this.#cluster.tag}n${this.number}`;
  }

  get isUp(): boolean {
    return this.#socket !== null;
  }

  /**
   * After the file system was shut down: what its journal holds on the device, mounted anew. A copy of the device, because other mount
   * namespaces of the machine may keep the dead one alive.
   */
  remount(): void {
    this.unmount();
    const old = this.#image;
    this.#image = `${this.dir}-${(this.#images += 1)}.img`;
    sh('cp', '--sparse=always', old, this.#image);
    sh('mount', '-o', 'loop', this.#image, this.dir);
    rmSync(old);
  }

  unmount(): void {
    quiet('umount', '-l', this.dir);
  }

  async start(): Promise<void> {
    const socket = join(this.#cluster.root, `m${this.number}.sock`);
    rmSync(socket, { force: true });
    const setup: ProcessSetup = { dir: join(this.dir, 'store'), socket, host: this.host, port: this.#isIsolated ? 7000 : 7000 + this.number, identity: this.identity, snapshotEntries: 400, isQuiet: true };
    const args = [join(import.meta.dirname, 'store-process.ts'), JSON.stringify(setup)];
    this.exitCode = null;
    const child = this.#isIsolated
      ? spawn('ip', ['netns', 'exec', this.netns, process.execPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
      : spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    this.#child = child;
    let errors = '';
    child.stderr?.on('data', (chunk) => {
      errors = `${errors}${String(chunk)}`.slice(-2000);
    });
    child.on('exit', (code) => {
      if (this.#child !== child) return;
      this.exitCode = code;
      this.#hangUp();
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout?.once('data', () => resolve());
      child.once('exit', (code) => reject(new Error(`manager ${this.number} ended with ${code}: ${errors}`)));
    });
    await new Promise<void>((resolve, reject) => {
      const connection = connect(socket, resolve);
      connection.once('error', reject);
      connection.setEncoding('utf8');
      let rest = '';
      connection.on('data', (chunk: string) => {
        const lines = (rest + chunk).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const value: { id: number } = JSON.parse(line);
          this.#waiting.get(value.id)?.(value);
          this.#waiting.delete(value.id);
        }
      });
      connection.on('close', () => this.#socket === connection && this.#hangUp());
      this.#socket = connection;
    });
  }

  /** A client with a connection of its own, one write at a time. */
  client(): Promise<{ readonly put: (key: string, value: string) => Promise<void>; readonly close: () => void }> {
    return new Promise((resolve, reject) => {
      const socket = connect(join(this.#cluster.root, `m${this.number}.sock`), () => {
        let waiting: { readonly resolve: () => void; readonly reject: (error: Error) => void } | null = null;
        let rest = '';
        socket.setEncoding('utf8');
        socket.on('data', (chunk: string) => {
          rest += chunk;
          if (!rest.endsWith('\n')) return;
          const isFine = rest.includes('"applied"');
          const text = rest;
          rest = '';
          const now = waiting;
          waiting = null;
          if (isFine) now?.resolve();
          else now?.reject(new Error(text));
        });
        resolve({
          put: (key, value) => new Promise((done, failed) => {
            waiting = { resolve: done, reject: failed };
            socket.write(`{"id":1,"ifVersion":null,"put":{"kind":"config","id":"${key}","version":0,"createdMs":0,"updatedMs":0,"name":"${key}","projectName":null,"key":"${key}","labels":{},"dataBase64":"${value}","digest":""}}\n`);
          }),
          close: () => socket.destroy(),
        });
      });
      socket.once('error', reject);
    });
  }

  /** Null: no answer, and there will be none. */
  ask(request: object, timeoutMs = 6000): Promise<unknown> {
    const socket = this.#socket;
    if (socket === null) return Promise.resolve(null);
    this.#id += 1;
    const id = this.#id;
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(id);
        resolve(null);
      }, timeoutMs);
      this.#waiting.set(id, (value) => {
        clearTimeout(timer);
        resolve(value);
      });
      socket.write(`${JSON.stringify({ id, ...request })}\n`);
    });
  }

  signal(name: NodeJS.Signals): void {
    this.#child?.kill(name);
  }

  async kill(): Promise<void> {
    const child = this.#child;
    this.#hangUp();
    if (child === null || child.exitCode !== null || child.signalCode !== null) return;
    await new Promise<void>((resolve) => {
      child.once('exit', () => resolve());
      child.kill('SIGCONT');
      child.kill('SIGKILL');
    });
  }

  cutFrom(others: readonly Manager[], isOneWay: boolean): void {
    const rules = others.map((one) => `add rule inet cut input ip saddr ${one.host} drop\n${isOneWay ? '' : `add rule inet cut output ip daddr ${one.host} drop\n`}`).join('');
    const text = `add table inet cut\nadd chain inet cut input { type filter hook input priority 0; }\nadd chain inet cut output { type filter hook output priority 0; }\n${rules}`;
    // Some versions of nft read no socket, which is what Node's `input` comes through.
    const fd = memoryFile('cut', text);
    execFileSync('ip', ['netns', 'exec', this.netns, 'nft', '-f', '-'], { stdio: [fd, 'ignore', 'pipe'] });
    closeSync(fd);
  }

  heal(): void {
    quiet('ip', 'netns', 'exec', this.netns, 'nft', 'delete', 'table', 'inet', 'cut');
  }

  fillDisk(): void {
    quiet('sh', '-c', `dd if=/dev/zero of=${this.dir}/junk bs=1M 2>/dev/null; true`);
  }

  freeDisk(): void {
    rmSync(join(this.dir, 'junk'), { force: true });
  }

  /** From now on every write and sync of this file system fails with EIO. */
  breakDisk(): void {
    const fd = openSync(this.dir, 'r');
    checked('ioctl', libcFunction('int ioctl(int fd, unsigned long request, void *argument)')(fd, shutDownFileSystem, Buffer.from(Uint32Array.of(withoutLog).buffer)));
    closeSync(fd);
  }

  destroy(): void {
    const child = this.#child;
    this.#child = null;
    child?.kill('SIGKILL');
    if (!this.#isIsolated) return;
    quiet('sleep', '0.1');
    this.unmount();
    quiet('ip', 'netns', 'del', this.netns);
  }

  #hangUp(): void {
    this.#socket?.destroy();
    this.#socket = null;
    const waiting = [...this.#waiting.values()];
    this.#waiting.clear();
    for (const resolve of waiting) resolve(null);
  }
}

export async function until(ask: () => Promise<boolean>, timeoutMs = 20_000): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

export function sh(file: string, ...args: readonly string[]): void {
  execFileSync(file, args, { stdio: ['ignore', 'ignore', 'pipe'] });
}

function quiet(file: string, ...args: readonly string[]): void {
  try {
    execFileSync(file, args, { stdio: 'ignore' });
  } catch {
    // Best effort: it may be gone already.
  }
}

export function writeReport(path: string, text: string): void {
  if (existsSync(path)) rmSync(path);
  writeFileSync(path, text);
}
