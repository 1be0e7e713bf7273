import { parseIp } from '../../base/cidr.ts';
import { honoured, refused, type ValueRule } from './table.ts';

/*
 * Text that is written into files which others read word by word: /etc/hosts, /etc/resolv.conf. A space, a line break, a comment
 * mark in it would say something else than was meant, in another's name.
 */
const word = /^[^\s\p{C}#;]+$/u;

function wordRule(words: string, isFit: (text: string) => boolean, [reason, hint]: readonly [reason: string, hint: string]): ValueRule {
  return { words, check: (value) => (typeof value === 'string' && isFit(value) ? honoured : refused(`${JSON.stringify(value)}: ${reason}`, hint)) };
}

const noWord = ['it holds a space, a control character or a comment mark', 'use letters, digits, dots and hyphens'] as const;

/** The kernel keeps 64 bytes of each (uname(2)). */
const nameBytesMax = 64;
export const hostNameRule: ValueRule = wordRule(`one word of up to ${nameBytesMax} bytes`, (text) => word.test(text) && new TextEncoder().encode(text).length <= nameBytesMax, [
  `a host's name is one word of up to ${nameBytesMax} bytes`, 'use letters, digits, dots and hyphens',
]);

export const networkNameRule: ValueRule = wordRule('one word each', (text) => word.test(text), noWord);

export const resolverWordRule: ValueRule = wordRule('one word each', (text) => word.test(text), ['a line of resolv.conf is made of it, and it is more than one word', 'write one item for each word']);

export const extraHostRule: ValueRule = wordRule(
  'a name and an address each, or `host-gateway`',
  (text) => {
    const [name = '', address = ''] = text.split(/=(.*)/s);
    return word.test(name) && (address === 'host-gateway' || parseIp(address) !== null);
  },
  ['it is no name and address of a host', 'write it as name=10.0.0.5 or name=host-gateway'],
);

/** Source: Docker Engine, which refuses a mount whose target is not absolute or is the root. */
const isTarget = (text: string): boolean => text.startsWith('/') && text.split('/').some((part) => part !== '' && part !== '.');
export const targetRule: ValueRule = wordRule('absolute paths, not the root', isTarget, [
  'a path in the container begins with /, and is not the root itself', 'write it as /var/lib/data',
]);

/** `/run` or `/run:size=64m`. */
export const tmpfsRule: ValueRule = wordRule('absolute paths, not the root', (text) => isTarget(text.split(':')[0] ?? ''), [
  'a path in the container begins with /, and is not the root itself', 'write it as /run or /run:size=64m',
]);

export const workingDirRule: ValueRule = wordRule('absolute paths', (text) => text.startsWith('/'), ['a path in the container begins with /', 'write it as /app']);
