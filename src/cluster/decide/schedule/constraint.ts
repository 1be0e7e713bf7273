import { cidrHasIp, parseCidr, parseIp } from '../../../base/cidr.ts';
import { parsed, refused, type Parsed } from '../../../base/parsed.ts';
import type { NodeObject } from '../../../model/objects.ts';

/** `node.labels.disk==ssd`. Source: Swarm's placement constraints. */
export type Constraint = { readonly key: string; readonly operator: '==' | '!='; readonly value: string };

/** What a constraint looks at. */
export type ConstraintFacts = Pick<NodeObject, 'id' | 'hostname' | 'role' | 'labels' | 'os' | 'architecture' | 'address' | 'engineLabels'>;

const keyPattern = /^[a-z_][a-z0-9\-_.]+$/i;
const valuePattern = /^[a-z0-9:\-_\s.*()?+[\]\\^$|/]+$/i;

export function parseConstraint(text: string): Parsed<Constraint> {
  for (const operator of ['==', '!='] as const) {
    const at = text.indexOf(operator);
    if (at < 0) continue;
    const key = text.slice(0, at).trim();
    const value = text.slice(at + 2).trim();
    if (!keyPattern.test(key)) return refused(`key '${key}' is invalid`);
    if (!valuePattern.test(value)) return refused(`value '${value}' is invalid`, at + 2);
    return parsed({ key, operator, value });
  }
  return refused('constraint expected one operator from ==, !=');
}

/** A key that nobody knows matches no node, whatever the operator. */
export function matchesConstraint(constraint: Constraint, node: ConstraintFacts): boolean {
  const key = constraint.key.toLowerCase();
  if (key === 'node.ip') return matchesIp(constraint, node.address);
  const actual = factOf(constraint.key, node);
  if (actual === null) return false;
  // NOTE: an architecture is compared as the node names it; a node that uses the short name also answers to the long one.
  const isAlias = key === 'node.platform.arch' && architectureName(actual) === actual && architectureName(constraint.value) === actual;
  const isSame = isAlias || actual.toLowerCase() === constraint.value.toLowerCase();
  return constraint.operator === '==' ? isSame : !isSame;
}

/** Two names of one architecture. Source: the platform names of containerd. */
export function architectureName(text: string): string {
  return { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386', i686: '386', armhf: 'arm', armel: 'arm' }[text.toLowerCase()] ?? text.toLowerCase();
}

function factOf(key: string, node: ConstraintFacts): string | null {
  const lower = key.toLowerCase();
  if (lower.startsWith('node.labels.')) return node.labels[key.slice('node.labels.'.length)] ?? '';
  if (lower.startsWith('engine.labels.')) return node.engineLabels[key.slice('engine.labels.'.length)] ?? '';
  switch (lower) {
    case 'node.id':
      return node.id;
    case 'node.hostname':
      return node.hostname;
    case 'node.role':
      return node.role;
    case 'node.platform.os':
      return node.os;
    case 'node.platform.arch':
      return node.architecture;
    default:
      return null;
  }
}

/** An address or a network; what is neither matches nothing. */
function matchesIp(constraint: Constraint, address: string | null): boolean {
  const ip = parseIp(address ?? '');
  const wanted = parseIp(constraint.value);
  const network = parseCidr(constraint.value);
  if (wanted === null && network === null) return false;
  const isSame = ip !== null && (wanted !== null ? wanted.family === ip.family && wanted.value === ip.value : network !== null && cidrHasIp(network, ip));
  return constraint.operator === '==' ? isSame : !isSame;
}
