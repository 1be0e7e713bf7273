import { parsePortRange, parsePortSpec } from '../../src/spec/short/port.ts';
import type { PortBinding } from '../../src/spec/short/port.ts';
import { judge } from './set.ts';
import type { Case, CaseResult } from './set.ts';

/** Runs cases/lib/ports.json. */
export function runSet(cases: readonly Case[]): CaseResult[] {
  return cases.map((one) => judge(one, outcomeOf(one)));
}

function outcomeOf(one: Case): Parameters<typeof judge>[1] {
  switch (one['fn']) {
    case 'ParsePortRange':
      return parsePortRange(String(one['range']));
    case 'ParsePortSpec': {
      const bindings = parsePortSpec(String(one['spec']));
      return bindings.ok ? { ok: true, value: bindings.value.map((binding) => ({ Port: keyOf(binding), Binding: hostOf(binding) })) } : bindings;
    }
    case 'ParsePortSpecs':
      return several(Array.isArray(one['specs']) ? one['specs'].map(String) : []);
    default:
      return { ok: false, message: `unknown function ${String(one['fn'])}` };
  }
}

function several(specs: readonly string[]): Parameters<typeof judge>[1] {
  const bindings: Record<string, unknown[]> = {};
  const exposed: Record<string, object> = {};
  for (const spec of specs) {
    const read = parsePortSpec(spec);
    if (!read.ok) return read;
    for (const binding of read.value) {
      exposed[keyOf(binding)] = {};
      (bindings[keyOf(binding)] ??= []).push(hostOf(binding));
    }
  }
  return { ok: true, value: { bindings, exposed } };
}

function keyOf(binding: PortBinding): string {
  return `${binding.port}/${binding.protocol}`;
}

function hostOf(binding: PortBinding): unknown {
  return { HostIp: binding.hostIp, HostPort: binding.hostPort };
}
