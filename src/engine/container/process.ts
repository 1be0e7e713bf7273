import { AppError } from '../../base/app-error.ts';
import type { ImageConfig } from '../../model/container.ts';
import type { ContainerSpec } from '../../model/container-spec.ts';

const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/**
 * The command line. An entrypoint in the spec also drops the image's command, as under Docker.
 * Errors: ENGINE_CONTAINER_SPEC where neither names one.
 */
export function commandLine(spec: ContainerSpec, image: ImageConfig): string[] {
  const entrypoint = spec.entrypoint ?? image.entrypoint;
  const command = spec.command ?? (spec.entrypoint === null ? image.cmd : []);
  const argv = [...entrypoint, ...command];
  if (argv.length === 0 || argv[0] === '') {
    throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${spec.name}: neither the image nor the file names a command`, hint: 'set `command:` or `entrypoint:`' });
  }
  argv.forEach((word, index) => checkWord(word, `container ${spec.name}: argument ${index}`));
  return argv;
}

/** What the kernel takes as one argument or one variable, with its end: MAX_ARG_STRLEN, 32 pages. */
const wordBytesMax = 128 * 1024;

function checkWord(word: string, what: string): void {
  if (word.includes('\0')) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${what} holds a NUL byte` });
  if (word.length * 3 >= wordBytesMax && Buffer.byteLength(word) >= wordBytesMax) {
    throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `${what} has ${Buffer.byteLength(word)} bytes; the kernel takes less than ${wordBytesMax}`, hint: 'put it into a file: a config, or an env file that the program reads itself' });
  }
}

/** The environment as `NAME=value`: the image's, then the spec's over it by name, then what the runtime owes every process. */
export function environment(spec: Pick<ContainerSpec, 'environment' | 'tty' | 'name'>, image: ImageConfig, facts: { readonly hostname: string; readonly home: string }): string[] {
  const values = new Map<string, string>();
  const put = (line: string): void => {
    const cut = line.indexOf('=');
    if (cut > 0) values.set(line.slice(0, cut), line.slice(cut + 1));
  };
  put(defaultPath);
  values.set('HOSTNAME', facts.hostname);
  if (spec.tty) values.set('TERM', 'xterm');
  for (const line of image.env) put(line);
  for (const [name, value] of Object.entries(spec.environment)) {
    if (name === '' || name.includes('=') || name.includes('\0') || value?.includes('\0') === true) {
      throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `container ${spec.name}: ${JSON.stringify(name)} can't be the name or value of an environment variable` });
    }
    if (value === null) values.delete(name);
    else values.set(name, value);
  }
  if (!values.has('HOME')) values.set('HOME', facts.home);
  return Array.from(values, ([name, value]) => {
    const line = `${name}=${value}`;
    checkWord(line, `container ${spec.name}: the variable ${JSON.stringify(name.slice(0, 100))}`);
    return line;
  });
}

/** What runs in the container: absolute, and never under /proc, where a leaked descriptor of the runtime could be entered (CVE-2024-21626). */
export function workingDir(wanted: string | null, image: ImageConfig): string {
  const dir = wanted ?? (image.workingDir === '' ? '/' : image.workingDir);
  const absolute = normalizePath(dir.startsWith('/') ? dir : `/${dir}`);
  if (absolute === '/proc' || absolute.startsWith('/proc/')) {
    throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `the working directory ${JSON.stringify(dir)} is below /proc`, hint: 'choose a directory of the image' });
  }
  return absolute;
}

/** An absolute path without `.`, `..`, doubled or trailing slashes. */
export function normalizePath(path: string): string {
  if (path.includes('\0')) throw new AppError({ code: 'ENGINE_CONTAINER_SPEC', message: `the path ${JSON.stringify(path)} holds a NUL byte` });
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '' || part === '.') continue;
    if (part === '..') parts.pop();
    else parts.push(part);
  }
  return `/${parts.join('/')}`;
}
