import { describe, expect, test } from 'vitest';
import { resolveUser } from '../../src/engine/container/user.ts';

const files = {
  passwd: 'root:x:0:0:root:/root:/bin/sh\n# comment\nbroken\napp:x:1000:1001:App:/home/app:/bin/sh\nneg:x:-1:0::/:\nbig:x:4294967295:0::/:\n123:x:5:5::/five:\n',
  group: 'root:x:0:\nstaff:x:50:app,other\nwheel:x:10:\nbad:x:zz:app\n',
};

describe('a user of the image', () => {
  test.for<[string, readonly string[], object]>([
    ['', [], { uid: 0, gid: 0, home: '/root', additionalGids: [] }],
    ['app', [], { uid: 1000, gid: 1001, home: '/home/app', additionalGids: [50] }],
    ['1000', [], { uid: 1000, gid: 1001, home: '/home/app', additionalGids: [50] }],
    ['app:wheel', [], { uid: 1000, gid: 10, additionalGids: [] }],
    ['app:', [], { uid: 1000, gid: 1001, additionalGids: [50] }],
    ['4711', [], { uid: 4711, gid: 0, home: '/', additionalGids: [] }],
    ['4711:4712', ['wheel', '9', '9'], { uid: 4711, gid: 4712, additionalGids: [9, 10] }],
    ['4294967294', [], { uid: 4_294_967_294, gid: 0 }],
    ['123', [], { uid: 123, gid: 0 }],
  ])('%j with groups %j', ([user, groups, expected]) => {
    expect(resolveUser(user, groups, files)).toMatchObject(expected);
  });

  test.for(['ghost', '4294967295', '4294967296', '99999999999999999999', '-1', '0:0,evil', '0:0:0', 'neg', 'big', 'app:ghost', 'app:4294967296', '0x0', '1e3', ' 0', '0 ', 'root\n', '../root', ':', 'a/b', '+0', '٣'])(
    '%j is refused, never guessed',
    (user) => {
      expect(() => resolveUser(user, [], files)).toThrowError(expect.objectContaining({ code: 'ENGINE_USER_UNKNOWN' }));
    },
  );
});
