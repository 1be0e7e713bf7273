import { AppError } from '../../base/app-error.ts';

/** Who a process runs as. `additionalGids` are sorted. */
export type ResolvedUser = { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[]; readonly home: string };

/** The container's own /etc/passwd and /etc/group; '' where it has none. */
export type UserFiles = { readonly passwd: string; readonly group: string };

type PasswdEntry = { readonly name: string; readonly uid: number; readonly gid: number; readonly home: string };
type GroupEntry = { readonly name: string; readonly gid: number; readonly members: readonly string[] };

/** The highest id: -1 as an unsigned number means "unchanged" to the kernel, so it is no id. */
const idMax = 4_294_967_294;
const namePattern = /^[A-Za-z0-9_][A-Za-z0-9_.@-]{0,255}\$?$/;

/**
 * Resolves `user`, `user:group`, names or ids, against the container's own files. Nothing is guessed: what is not exactly
 * a name of the file or a whole number in range is refused.
 * Errors: ENGINE_USER_UNKNOWN.
 * Source: CVE-2026-30892 and CVE-2024-40635 (ids that wrapped around or were cut at a separator).
 */
export function resolveUser(wanted: string, groupAdd: readonly string[], files: UserFiles): ResolvedUser {
  const passwd = parsePasswd(files.passwd);
  const groups = parseGroup(files.group);
  const parts = wanted.split(':');
  if (parts.length > 2) return unknown(wanted, 'has more than one colon');
  const [userText = '', groupText] = parts;
  const user = findUser(userText === '' ? '0' : userText, passwd, wanted);
  if (groupText === '' && parts.length === 2 && userText === '') return unknown(wanted, 'names nobody');
  const gid = groupText === undefined || groupText === '' ? user.gid : findGroup(groupText, groups, wanted);
  // Membership by name counts only where the group was not chosen by hand, as under Docker.
  const member = groupText === undefined || groupText === '' ? groups.filter((one) => user.name !== null && one.members.includes(user.name)).map((one) => one.gid) : [];
  const added = groupAdd.map((name) => findGroup(name, groups, name));
  return { uid: user.uid, gid, additionalGids: [...new Set([...member, ...added])].sort((a, b) => a - b), home: user.home };
}

function findUser(text: string, passwd: readonly PasswdEntry[], wanted: string): { readonly name: string | null; readonly uid: number; readonly gid: number; readonly home: string } {
  const uid = parseId(text, wanted);
  const entry = passwd.find((one) => (uid === null ? one.name === text : one.uid === uid));
  if (entry !== undefined) return entry;
  if (uid === null) return unknown(wanted, `: the image's /etc/passwd has no user ${JSON.stringify(text)}`);
  return { name: null, uid, gid: 0, home: '/' };
}

function findGroup(text: string, groups: readonly GroupEntry[], wanted: string): number {
  const gid = parseId(text, wanted);
  if (gid !== null) return gid;
  const entry = groups.find((one) => one.name === text);
  return entry === undefined ? unknown(wanted, `: the image's /etc/group has no group ${JSON.stringify(text)}`) : entry.gid;
}

/** A whole number is an id; null means that it is a name. */
function parseId(text: string, wanted: string): number | null {
  if (/^[0-9]+$/.test(text)) {
    const id = Number(text);
    return text.length <= 10 && id <= idMax ? id : unknown(wanted, `: ${text} is above the highest id, ${idMax}`);
  }
  return namePattern.test(text) ? null : unknown(wanted, `: ${JSON.stringify(text)} is neither an id nor a name`);
}

function unknown(wanted: string, why: string): never {
  throw new AppError({ code: 'ENGINE_USER_UNKNOWN', message: `user ${JSON.stringify(wanted)} ${why}`.replace(' :', ':'), hint: 'write user: "uid[:gid]" with ids, or names of the image' });
}

/** Lines that do not parse are skipped, as the C library does: they belong to the image. */
export function parsePasswd(text: string): PasswdEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , uid = '', gid = '', , home = ''] = line.split(':');
    if (name === '' || name.startsWith('#') || !isId(uid) || !isId(gid)) return [];
    return [{ name, uid: Number(uid), gid: Number(gid), home: home.startsWith('/') ? home : '/' }];
  });
}

export function parseGroup(text: string): GroupEntry[] {
  return text.split('\n').flatMap((line) => {
    const [name = '', , gid = '', members = ''] = line.split(':');
    return name === '' || name.startsWith('#') || !isId(gid) ? [] : [{ name, gid: Number(gid), members: members.trim().split(',').filter((one) => one !== '') }];
  });
}

function isId(text: string): boolean {
  return /^[0-9]{1,10}$/.test(text) && Number(text) <= idMax;
}
