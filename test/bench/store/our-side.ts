import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { createApiClient } from '../../../src/wire/http-client.ts';
import type { Identity } from '../../../src/manager/store/identity.ts';
import type { MemberSetup } from './member-process.ts';
import { end, freePorts, type StoreMember, type StoreSide, until } from './store-side.ts';

export type OurMember = StoreMember & { readonly api: (method: string, path: string) => Promise<unknown>; readonly pid: () => number };
export type OurSide = Omit<StoreSide, 'members' | 'leader'> & { readonly members: readonly OurMember[]; readonly leader: () => Promise<OurMember>; /** One more member joins; answers when it votes. */ readonly join: () => Promise<void> };
type Status = { readonly memberId: string; readonly leadership: { readonly isLeader: boolean }; readonly members: readonly { readonly role: string }[] };

/** Members as processes of their own, on loopback, data below `folder`. `prepare` fills the directory of the first before it starts. */
export async function startOurStore(folder: string, count: number, prepare: (dir: string) => Promise<unknown> = async () => undefined): Promise<OurSide> {
  const root = mkdtempSync(join(folder, 'ours-'));
  const ports = count === 1 ? [] : await freePorts(count + 1);
  const members: OurMember[] = [];
  const close = async (): Promise<void> => {
    await Promise.all(members.map((member) => member.kill()));
    rmSync(root, { recursive: true, force: true });
  };
  const addMember = async (): Promise<void> => {
    const number = members.length;
    const identity = number === 0 ? null : await members[0]?.api('POST', `/v1/store/join/member${number}/${ports[number]}`);
    members.push(await startMember(root, number, ports[number] ?? null, identity as Identity | null));
    await until('every member votes', async () => {
      const status = await statusOf(members[0]);
      return status.leadership.isLeader && status.members.filter((one) => one.role === 'voter').length === number + 1 ? status : null;
    }, 120_000);
  };
  try {
    await prepare(dirOf(root, 0));
    for (let number = 0; number < count; number += 1) await addMember();
  } catch (error) {
    await close();
    throw error;
  }
  const leader = (): Promise<OurMember> => until('a member of ours leads', async () => {
    for (const member of members) if ((await statusOf(member).catch(() => null))?.leadership.isLeader === true) return member;
    return null;
  });
  return { kind: 'ours', members, leader, join: addMember, close };
}

export async function statusOf(member: OurMember | undefined): Promise<Status> {
  // NOTE: the shape is the member process's own.
  return (await member?.api('GET', '/v1/store/status')) as Status;
}

function dirOf(root: string, number: number): string {
  return join(root, `m${number}`);
}

async function startMember(root: string, number: number, peerPort: number | null, identity: Identity | null): Promise<OurMember> {
  const socket = join(root, `m${number}.sock`);
  const setup: MemberSetup = { dir: dirOf(root, number), socket, peerPort, identity };
  const client = createApiClient({ socketPath: setup.socket });
  let child: ChildProcess | null = null;
  const restart = async (): Promise<void> => {
    rmSync(setup.socket, { force: true });
    const started = spawn(process.execPath, [...(process.env['MEMBER_FLAGS'] ?? '').split(' ').filter((one) => one !== ''), join(import.meta.dirname, 'member-process.ts'), JSON.stringify(setup)], { stdio: ['ignore', 'pipe', 'inherit'] });
    child = started;
    await new Promise<void>((resolve, reject) => {
      started.stdout.once('data', () => resolve());
      started.once('exit', (code) => reject(new Error(`a member of ours ended with ${code}`)));
    });
  };
  await restart();
  return { target: setup.socket, api: (method, path) => client.call(method, path), pid: () => child?.pid ?? 0, kill: () => end(child, 'SIGKILL'), restart };
}
