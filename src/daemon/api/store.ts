import { AppError } from '../../base/app-error.ts';
import type { MemberCall } from '../../manager/store/host-messages.ts';
import type { OpenedStore } from '../../manager/store/opened-store.ts';
import type { Route } from '../../wire/http-server.ts';

/** The store's own operation. `backup` writes a file on this machine, readable by its owner only. */
export function storeRoutes(store: OpenedStore): readonly Route[] {
  const json = (value: unknown): { kind: 'json'; value: unknown } => ({ kind: 'json', value });
  return [
    { method: 'GET', path: '/v1/store/status', handle: async () => json({ ...store.status(), featureLevel: store.featureLevel(), isAutolocked: store.isAutolocked(), metrics: store.metrics() }) },
    { method: 'POST', path: '/v1/store/backup', handle: async ({ body }) => json(await store.backup(textOf(body, 'path'))) },
    { method: 'POST', path: '/v1/store/snapshot', handle: async () => json(await store.makeSnapshot()) },
    { method: 'POST', path: '/v1/store/members', handle: async ({ body }) => json(await store.changeMembers(callOf(body))) },
    { method: 'POST', path: '/v1/store/keys/rotate', handle: async () => json(await store.rotateKeys()) },
    // NOTE: the one place where the unlock key leaves the process: it is shown to the operator and nowhere else.
    { method: 'POST', path: '/v1/store/keys/lock', handle: async () => json({ unlockKey: (await store.lockKeys()).reveal() }) },
    { method: 'POST', path: '/v1/store/keys/unlock', handle: async () => json(store.unlockKeys()) },
  ];
}

function callOf(body: unknown): MemberCall {
  const kind = textOf(body, 'kind');
  const memberId = textOf(body, 'memberId');
  switch (kind) {
    case 'promote':
    case 'remove':
    case 'transfer':
      return { kind, memberId };
    case 'replace':
      return { kind, memberId, byMemberId: textOf(body, 'byMemberId') };
    default:
      throw new AppError({ code: 'WIRE_BAD_JSON', message: `members cannot be changed by ${kind}` });
  }
}

function textOf(body: unknown, name: string): string {
  const value: unknown = typeof body === 'object' && body !== null ? Reflect.get(body, name) : undefined;
  if (typeof value !== 'string' || value === '') throw new AppError({ code: 'WIRE_BAD_JSON', message: `the body needs a text ${name}` });
  return value;
}
