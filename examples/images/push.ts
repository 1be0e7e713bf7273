import { imageEpochSeconds, sha256 } from './layer.ts';
import type { Layer } from './layer.ts';

export type ImageSettings = {
  readonly env: readonly string[];
  readonly entrypoint?: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir?: string;
  readonly user?: string;
  readonly exposed?: readonly string[];
  readonly volumes?: readonly string[];
  readonly stopSignal?: string;
};

/** Puts an image into a registry under each of `tags`, by the distribution protocol. Answers the manifest's digest. */
export async function pushImage(registry: string, repository: string, tags: readonly string[], layers: readonly Layer[], settings: ImageSettings): Promise<string> {
  const config = Buffer.from(JSON.stringify(configOf(layers, settings)));
  const configDigest = sha256(config);
  for (const layer of layers) await pushBlob(registry, repository, layer.digest, layer.blob);
  await pushBlob(registry, repository, configDigest, config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', digest: configDigest, size: config.length },
      layers: layers.map((one) => ({ mediaType: 'application/vnd.oci.image.layer.v1.tar+gzip', digest: one.digest, size: one.blob.length })),
    }),
  );
  for (const tag of tags) {
    const answer = await fetch(`${registry}/v2/${repository}/manifests/${tag}`, { method: 'PUT', headers: { 'content-type': 'application/vnd.oci.image.manifest.v1+json' }, body: new Uint8Array(manifest) });
    await expectStatus(answer, 201, `manifest ${repository}:${tag}`);
  }
  return sha256(manifest);
}

async function pushBlob(registry: string, repository: string, digest: string, blob: Buffer): Promise<void> {
  const there = await fetch(`${registry}/v2/${repository}/blobs/${digest}`, { method: 'HEAD' });
  if (there.status === 200) return;
  const begun = await fetch(`${registry}/v2/${repository}/blobs/uploads/`, { method: 'POST' });
  await expectStatus(begun, 202, `upload to ${repository}`);
  const place = new URL(begun.headers.get('location') ?? '', registry);
  place.searchParams.set('digest', digest);
  const put = await fetch(place, { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: new Uint8Array(blob) });
  await expectStatus(put, 201, `blob ${digest}`);
}

async function expectStatus(answer: Response, status: number, what: string): Promise<void> {
  const text = await answer.text();
  if (answer.status !== status) throw new Error(`pushing ${what}: the registry answered ${answer.status} ${text.slice(0, 300)}`);
}

function configOf(layers: readonly Layer[], settings: ImageSettings): unknown {
  const asSet = (names: readonly string[]): Record<string, object> => Object.fromEntries(names.map((name) => [name, {}]));
  const created = new Date(imageEpochSeconds * 1000).toISOString();
  return {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    ...(process.arch === 'arm64' ? { variant: 'v8' } : {}),
    created,
    config: {
      Env: settings.env,
      ...(settings.entrypoint === undefined ? {} : { Entrypoint: settings.entrypoint }),
      Cmd: settings.cmd,
      WorkingDir: settings.workingDir ?? '',
      User: settings.user ?? '',
      ...(settings.exposed === undefined ? {} : { ExposedPorts: asSet(settings.exposed) }),
      ...(settings.volumes === undefined ? {} : { Volumes: asSet(settings.volumes) }),
      ...(settings.stopSignal === undefined ? {} : { StopSignal: settings.stopSignal }),
      Labels: { 'org.opencontainers.image.description': 'Made from Debian packages for the examples; not the image of that name on a public registry.' },
    },
    rootfs: { type: 'layers', diff_ids: layers.map((one) => one.diffId) },
    history: layers.map(() => ({ created, created_by: 'examples/images/build.ts' })),
  };
}
