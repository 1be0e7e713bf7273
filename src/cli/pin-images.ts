import { AppError, isAppError } from '../base/app-error.ts';
import type { Project, Service } from '../model/project.ts';
import type { Loaded } from '../spec/input.ts';
import type { CliContext } from './context.ts';
import { type DiagnosticsHost, refuseByFile } from './project-diagnostics.ts';
import type { Reader } from './read-project.ts';

/**
 * Names every image by the digest that its registry has for it now. The daemon asks: it has the logins, the mirrors and the proxies. What is
 * refused is told at its place in the files.
 */
export async function pinImages({ host, loaded, reader }: { readonly host: DiagnosticsHost & { readonly daemon?: CliContext['daemon'] }; readonly loaded: Loaded; readonly reader: Reader }): Promise<Loaded> {
  const { project } = loaded;
  if (host.daemon === undefined) throw new AppError({ code: 'CLI_USAGE', message: 'digests of images are asked of the daemon, and there is none here' });
  const images = Object.fromEntries(Object.entries(project.services).flatMap(([name, { image }]) => (image === undefined ? [] : [[name, image]])));
  const pinned = await ask(host.daemon, images).catch((error: unknown) => {
    if (isAppError(error) && error.reasons.length > 0) return refuseByFile(host, error, { project, locate: loaded.locate, reader });
    throw error;
  });
  const withImage = ([name, service]: readonly [string, Service]): [string, Service] => {
    const image = pinned.get(name);
    return [name, image === undefined ? service : { ...service, image }];
  };
  const services = Object.fromEntries(Object.entries(project.services).map(withImage));
  return { ...loaded, project: { ...project, services } };
}

async function ask(daemon: CliContext['daemon'], images: Readonly<Record<string, string>>): Promise<ReadonlyMap<string, string>> {
  const answer: unknown = Object.keys(images).length === 0 ? {} : await (await daemon()).call('POST', '/v1/images/pin', { images });
  const entries = typeof answer === 'object' && answer !== null ? Object.entries(answer) : [];
  return new Map(entries.filter((one): one is [string, string] => typeof one[1] === 'string'));
}

/** Nothing but the names of the images, to be laid over the files with `-f`. */
export function imagesOnly(project: Project): { readonly services: Readonly<Record<string, { readonly image: string }>> } {
  return { services: Object.fromEntries(Object.entries(project.services).flatMap(([name, { image }]) => (image === undefined ? [] : [[name, { image }]]))) };
}
