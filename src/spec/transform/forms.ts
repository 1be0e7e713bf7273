import { exampleHint } from '../schema/example.ts';
import { limits } from '../../base/limits.ts';
import { parseDeviceShort } from '../short/device.ts';
import { parsePortShort } from '../short/port.ts';
import { parseSshShort } from '../short/ssh.ts';
import { cleanPath, parseVolumeShort } from '../short/volume.ts';
import { isDict, isList, newDict, textOf } from '../source/values.ts';
import type { Dict, Value } from '../source/values.ts';
import { dictOf, wrongKind } from './short.ts';
import type { Short } from './short.ts';

export function buildForm(short: Short): Value {
  const { value } = short;
  if (typeof value === 'string') return dictOf([['context', value]]);
  return isDict(value) ? value : wrongKind(short, 'a path or a mapping');
}

export function textForm({ value }: Short): Value {
  return textOf(value);
}

export function textListForm({ value }: Short): Value {
  return typeof value === 'string' ? [value] : value;
}

export function fileForm(short: Short): Value {
  const { value } = short;
  if (typeof value === 'string') return dictOf([['source', value]]);
  return isDict(value) ? value : wrongKind(short, 'a name or a mapping');
}

export function keyValueForm(short: Short): Value {
  const { value, isLenient } = short;
  if (isDict(value)) return value;
  if (!isList(value)) return wrongKind(short, 'a mapping or a list of KEY=VALUE');
  const made = newDict();
  for (const [index, entry] of value.entries()) {
    const text = textOf(entry);
    const equals = text.indexOf('=');
    if (equals < 0) {
      if (isLenient) return value;
      refuse({ ...short, container: value, key: index, path: `${short.path}[${index}]` }, `\`${text}\` is not of the form KEY=VALUE`);
      continue;
    }
    made[text.slice(0, equals)] = text.slice(equals + 1);
    short.report.origins.move(made, text.slice(0, equals), value, index);
  }
  return made;
}

export function sshForm(short: Short): Value {
  const { value } = short;
  if (isDict(value)) return value;
  if (!isList(value)) return wrongKind(short, 'a mapping or a list');
  const made = newDict();
  for (const [index, entry] of value.entries()) {
    const read = parseSshShort(textOf(entry));
    if (!read.ok) refuse({ ...short, container: value, key: index, path: `${short.path}[${index}]` }, read.message);
    else made[read.value.id] = read.value.path;
  }
  return made;
}

export function ulimitForm(short: Short): Value {
  const { value, isLenient } = short;
  if (isDict(value) || (typeof value === 'number' && Number.isInteger(value))) return value;
  return isLenient && typeof value === 'string' ? value : wrongKind(short, 'a whole number or a mapping of soft and hard');
}

export function dependsOnForm(short: Short): Value {
  const { value, report } = short;
  if (isList(value)) {
    const made = newDict();
    value.forEach((name, index) => {
      const dependency = dictOf([['condition', 'service_started'], ['required', true]]);
      made[textOf(name)] = dependency;
      report.origins.move(made, textOf(name), value, index);
      report.origins.expand(dependency, value, index);
    });
    return made;
  }
  if (!isDict(value)) return wrongKind(short, 'a list of services or a mapping');
  for (const name of Object.keys(value)) {
    const dependency = value[name] ?? null;
    if (!isDict(dependency)) {
      wrongKind({ ...short, value: dependency, container: value, key: name, path: `${short.path}.${name}` }, 'a mapping with a condition');
      continue;
    }
    if (!('condition' in dependency)) dependency['condition'] = 'service_started';
    if (!('required' in dependency)) dependency['required'] = true;
  }
  return value;
}

export function envFileForm(short: Short): Value {
  const { value, report } = short;
  if (typeof value === 'string') return [dictOf([['path', value], ['required', true]])];
  if (!isList(value)) return wrongKind(short, 'a path or a list');
  return value.map((entry, index) => {
    if (isDict(entry)) {
      if (!('required' in entry)) entry['required'] = true;
      return entry;
    }
    const made = dictOf([['path', textOf(entry)], ['required', true]]);
    report.origins.expand(made, value, index);
    return made;
  });
}

export function extendsForm(short: Short): Value {
  const { value } = short;
  if (typeof value === 'string') return dictOf([['service', value]]);
  return isDict(value) ? value : wrongKind(short, 'a service or a mapping');
}

export function gpusForm(short: Short): Value {
  const { value } = short;
  if (typeof value === 'string') return [dictOf([['count', 'all']])];
  return isList(value) ? value : wrongKind(short, '`all` or a list of requests');
}

/** A list of names as a mapping from name to nothing. */
export function namesForm({ value, report }: Short): Value {
  if (!isList(value)) return value;
  const made = newDict();
  value.forEach((name, index) => {
    made[textOf(name)] = null;
    report.origins.move(made, textOf(name), value, index);
  });
  return made;
}

export function mountForm(short: Short): Value {
  const { value, isLenient } = short;
  if (isDict(value)) return value;
  if (typeof value !== 'string') return wrongKind(short, 'a text or a mapping');
  const read = parseVolumeShort(value);
  if (!read.ok) {
    if (!isLenient) refuse(short, read.message);
    return value;
  }
  const { bind, volume, target } = read.value;
  return dictOf([
    ['type', read.value.type],
    ['source', read.value.source],
    ['target', target === '' ? '' : cleanPath(target)],
    ['read_only', read.value.read_only],
    ['bind', bind === undefined ? undefined : dictOf([['selinux', bind.selinux], ['propagation', bind.propagation], ['create_host_path', bind.create_host_path]])],
    ['volume', volume === undefined ? undefined : dictOf([['nocopy', volume.nocopy]])],
  ]);
}

export function deviceForm(short: Short): Value {
  const { value, isLenient } = short;
  if (isDict(value)) return value;
  if (typeof value !== 'string') return wrongKind(short, 'a text or a mapping');
  const read = parseDeviceShort(value);
  if (read.ok) return dictOf([['source', read.value.source], ['target', read.value.target], ['permissions', read.value.permissions]]);
  if (!isLenient) refuse(short, read.message);
  return value;
}

/** One short entry may become several: a range is one entry a port. */
export function portsForm(short: Short): Value {
  const { value, report, isLenient } = short;
  if (!isList(value)) return wrongKind(short, 'a list');
  const ports: Value[] = [];
  for (const [index, entry] of value.entries()) {
    const place: Short = { ...short, value: entry, container: value, key: index, path: `${short.path}[${index}]` };
    if (isDict(entry)) {
      ports.push(entry);
      report.origins.move(ports, ports.length - 1, value, index);
      continue;
    }
    if (typeof entry !== 'string' && (typeof entry !== 'number' || !Number.isInteger(entry))) {
      wrongKind(place, 'a port, as "8080:80", or a mapping');
      continue;
    }
    const read = parsePortShort(String(entry));
    if (!read.ok) {
      if (isLenient) return value;
      refuse(place, read.message);
      continue;
    }
    report.left.ports -= read.value.length;
    if (report.left.ports < 0) {
      const finding = { code: 'SPEC_TOO_LARGE', message: `${place.path}: the ranges make more than ${limits.composePortsMax} ports`, hint: 'Publish only what is used.' } as const;
      report.errorAt({ container: value, key: index, path: place.path }, finding);
      return [];
    }
    for (const port of read.value) {
      const made: Dict = dictOf([['mode', port.mode], ['host_ip', port.host_ip], ['target', port.target], ['published', port.published], ['protocol', port.protocol]]);
      report.origins.expand(made, value, index);
      ports.push(made);
      report.origins.move(ports, ports.length - 1, value, index);
    }
  }
  return ports;
}

/** `external: {name: x}` is the old form of `name: x` with `external: true`. */
export function resourceForm(short: Short): Value {
  const { value, path, report } = short;
  if (!isDict(value)) return value;
  const external = value['external'];
  if (!isDict(external)) return value;
  const spot = { container: value, key: 'external', path } as const;
  value['external'] = true;
  if (!('name' in external)) return value;
  report.warnAt(spot, { code: 'SPEC_OLD_EXTERNAL', message: `${path}: \`external.name\` is deprecated`, hint: 'Write `external: true` and `name:` beside it.' });
  if (!('name' in value)) value['name'] = external['name'] ?? null;
  else if (value['name'] !== external['name']) report.errorAt(spot, { code: 'SPEC_CONFLICT', message: `${path}: \`name\` and \`external.name\` differ`, hint: 'Keep `name` only.' });
  return value;
}

function refuse({ container, key, path, report }: Short, message: string): void {
  report.errorAt({ container, key, path }, { code: 'SPEC_BAD_VALUE', message: `${path}: ${message}`, hint: exampleHint(path) });
}
