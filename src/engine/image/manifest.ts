import { AppError } from '../../base/app-error.ts';
import { digestProblem } from '../../base/image-reference.ts';
import { limits } from '../../base/limits.ts';
import { isObject, listIn, numberIn, objectIn, parseJson, textIn } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';
import type { Platform } from './platform.ts';

export type Descriptor = { readonly mediaType: string; readonly digest: string; readonly sizeBytes: number };
export type Manifest = { readonly kind: 'image'; readonly config: Descriptor; readonly layers: readonly Descriptor[] };
export type Index = { readonly kind: 'index'; readonly manifests: readonly (Descriptor & { readonly platform: Platform | null })[] };

const ociManifest = 'application/vnd.oci.image.manifest.v1+json';
const ociIndex = 'application/vnd.oci.image.index.v1+json';
const dockerManifest = 'application/vnd.docker.distribution.manifest.v2+json';
const dockerList = 'application/vnd.docker.distribution.manifest.list.v2+json';

export const acceptedManifests: readonly string[] = [ociIndex, dockerList, ociManifest, dockerManifest];
const configTypes: readonly string[] = ['application/vnd.oci.image.config.v1+json', 'application/vnd.docker.container.image.v1+json'];
const layerTypes: readonly string[] = [
  'application/vnd.oci.image.layer.v1.tar',
  'application/vnd.oci.image.layer.v1.tar+gzip',
  'application/vnd.oci.image.layer.v1.tar+zstd',
  'application/vnd.docker.image.rootfs.diff.tar',
  'application/vnd.docker.image.rootfs.diff.tar.gzip',
  'application/vnd.docker.image.rootfs.diff.tar.zstd',
];

/**
 * Reads a manifest or an index as the registry named it. What two readers could take for different things is refused:
 * both kinds in one document, or a type in the document other than the one it was sent as (CVE-2021-41190).
 * Source: OCI image-spec manifest.md, image-index.md; distribution image manifest v2 schema 2.
 */
export function parseManifest(body: Uint8Array, contentType: string, name: string): Manifest | Index {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  const value = parseJson(Buffer.from(body).toString('utf8'));
  if (!isObject(value)) throw invalid(name, 'its manifest is no JSON object');
  if (type.includes('manifest.v1+prettyjws') || (type.endsWith('manifest.v1+json') && !acceptedManifests.includes(type)) || value['schemaVersion'] === 1) {
    throw invalid(name, 'its manifest has the old form schema 1', 'its maker has to push it again with a tool of this decade');
  }
  if (!acceptedManifests.includes(type)) throw invalid(name, `its manifest has the type '${type}', which is no image's`);
  if (value['schemaVersion'] !== 2) throw invalid(name, 'its manifest states no schemaVersion 2');
  const stated = value['mediaType'];
  if (stated !== undefined && stated !== type) throw invalid(name, `its manifest was sent as '${type}' but calls itself '${String(stated).slice(0, 100)}'`);
  const isIndex = type === ociIndex || type === dockerList;
  if (isIndex ? value['layers'] !== undefined || value['config'] !== undefined : value['manifests'] !== undefined) throw invalid(name, 'its manifest is an index and an image at once');
  return isIndex ? parseIndex(value, name) : parseImage(value, name);
}

function parseImage(value: JsonObject, name: string): Manifest {
  const config = objectIn(value, 'config');
  const layers = listIn(value, 'layers');
  if (config === null || layers === null) throw invalid(name, 'its manifest has no config or no layers');
  if (layers.length > limits.imageLayersMax) throw invalid(name, `it has ${layers.length} layers; ${limits.imageLayersMax} are allowed`);
  const configDescriptor = descriptor(config, name);
  if (!configTypes.includes(configDescriptor.mediaType)) throw invalid(name, `it is no container image but holds '${configDescriptor.mediaType}'`);
  if (configDescriptor.sizeBytes > limits.manifestBytesMax) throw invalid(name, 'its configuration is too large');
  return { kind: 'image', config: configDescriptor, layers: layers.map((one) => layerDescriptor(one, name)) };
}

function layerDescriptor(value: unknown, name: string): Descriptor {
  if (!isObject(value)) throw invalid(name, 'one of its layers is no object');
  const found = descriptor(value, name);
  if (found.mediaType.includes('foreign') || found.mediaType.includes('nondistributable')) {
    throw invalid(name, 'one of its layers is to be fetched from another place (a foreign layer), which is refused', 'such images are made for Windows; use another one');
  }
  if (!layerTypes.includes(found.mediaType)) throw invalid(name, `one of its layers has the unknown type '${found.mediaType}'`);
  return found;
}

function parseIndex(value: JsonObject, name: string): Index {
  const manifests = listIn(value, 'manifests');
  if (manifests === null) throw invalid(name, 'its index lists no manifests');
  return {
    kind: 'index',
    manifests: manifests.filter(isObject).map((one) => {
      const platform = objectIn(one, 'platform');
      return { ...descriptor(one, name), platform: platform === null ? null : { os: textIn(platform, 'os'), architecture: textIn(platform, 'architecture'), variant: textIn(platform, 'variant') } };
    }),
  };
}

function descriptor(value: JsonObject, name: string): Descriptor {
  const digest = textIn(value, 'digest');
  const sizeBytes = numberIn(value, 'size');
  const problem = digestProblem(digest);
  if (problem !== undefined || !digest.startsWith('sha256:')) throw invalid(name, `a digest of its manifest can't be used: ${problem ?? digest.slice(0, 20)}`);
  if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) throw invalid(name, 'a size in its manifest is no size');
  return { mediaType: textIn(value, 'mediaType'), digest, sizeBytes };
}

function invalid(name: string, what: string, hint?: string): AppError {
  return new AppError({ code: 'ENGINE_IMAGE_INVALID', message: `${name} can't be used: ${what}`, hint });
}
