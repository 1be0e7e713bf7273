import { parsed, refused } from '../../base/parsed.ts';
import type { Parsed } from '../../base/parsed.ts';

export type DeviceEntry = { readonly source: string; readonly target: string; readonly permissions: string };

/** Reads `source[:target[:permissions]]`; the target is the source and all permissions are given where nothing is said. */
export function parseDeviceShort(spec: string): Parsed<DeviceEntry> {
  const parts = spec.split(':');
  if (parts.length > 3) return refused(`confusing device '${spec}': write it as a map of source, target and permissions`);
  const [source = '', target = '', permissions = 'rwm'] = parts;
  return parsed({ source, target: target === '' ? source : target, permissions });
}

/** Reads a count of devices: a number or `all`, which is -1. */
export function parseDeviceCount(value: unknown): Parsed<number> {
  if (typeof value === 'number' && Number.isInteger(value)) return parsed(value);
  if (typeof value !== 'string') return refused(`a count must be a number or 'all', not ${typeof value}`);
  if (value.toLowerCase() === 'all') return parsed(-1);
  return /^[+-]?\d+$/.test(value) ? parsed(Number(value)) : refused(`invalid count '${value}': only 'all' or a number is allowed`);
}
