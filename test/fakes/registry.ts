import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { gzipSync } from 'node:zlib';

/** A registry in memory that can be made to misbehave: each request passes `fault` first, which may answer it instead. */
export type FakeRegistry = {
  readonly url: string;
  readonly host: string;
  /** `METHOD /path` of every request so far. */
  readonly requests: string[];
  readonly headersSeen: IncomingMessage['headers'][];
  readonly blobs: Map<string, Buffer>;
  readonly manifests: Map<string, { readonly type: string; readonly body: Buffer }>;
  fault: (request: IncomingMessage, response: ServerResponse) => boolean;
  readonly close: () => Promise<void>;
};

export const types = {
  manifest: 'application/vnd.oci.image.manifest.v1+json',
  index: 'application/vnd.oci.image.index.v1+json',
  config: 'application/vnd.oci.image.config.v1+json',
  gzip: 'application/vnd.oci.image.layer.v1.tar+gzip',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
} as const;

export function sha256(body: Uint8Array): string {
  return `sha256:${createHash('sha256').update(body).digest('hex')}`;
}

/** With a key and its certificate it speaks TLS. */
export async function startFakeRegistry(tls?: { readonly key: Buffer; readonly cert: Buffer }): Promise<FakeRegistry> {
  const answer = (request: IncomingMessage, response: ServerResponse): void => {
    registry.requests.push(`${request.method} ${request.url}`);
    registry.headersSeen.push(request.headers);
    if (!registry.fault(request, response)) serve(registry, request, response);
  };
  const server = tls === undefined ? createServer(answer) : createTlsServer(tls, answer);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const host = `127.0.0.1:${portOf(server)}`;
  const registry: FakeRegistry = {
    url: `http${tls === undefined ? '' : 's'}://${host}`,
    host,
    requests: [],
    headersSeen: [],
    blobs: new Map(),
    manifests: new Map(),
    fault: () => false,
    close: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
  return registry;
}

function portOf(server: Server): number {
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function serve(registry: FakeRegistry, request: IncomingMessage, response: ServerResponse): void {
  const [, name = '', kind = '', target = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
  const manifest = kind === 'manifests' ? registry.manifests.get(`${name}:${target}`) : undefined;
  const blob = kind === 'blobs' ? registry.blobs.get(target) : undefined;
  if (manifest !== undefined) response.writeHead(200, { 'content-type': manifest.type, 'docker-content-digest': sha256(manifest.body) }).end(manifest.body);
  else if (blob !== undefined) {
    const from = Number(/^bytes=(\d+)-/.exec(request.headers.range ?? '')?.[1] ?? 0);
    if (from > 0) response.writeHead(206, { 'content-range': `bytes ${from}-${blob.length - 1}/${blob.length}` }).end(blob.subarray(from));
    else response.writeHead(200, { 'content-length': blob.length }).end(blob);
  } else response.writeHead(404).end('{"errors":[{"code":"NAME_UNKNOWN"}]}');
}

export type MadeImage = { readonly id: string; readonly manifestDigest: string; readonly layerDigests: readonly string[] };

/** Puts an image of these layers (tar archives) under a name and a tag. */
export function addImage(registry: FakeRegistry, name: string, tag: string, layers: readonly Buffer[], options: { readonly config?: object | null; readonly diffIds?: readonly string[]; readonly pack?: (tar: Buffer) => Buffer; readonly architecture?: string; readonly manifest?: object } = {}): MadeImage {
  const packed = layers.map((tar) => (options.pack ?? gzipSync)(tar));
  for (const blob of packed) registry.blobs.set(sha256(blob), blob);
  const architecture = options.architecture ?? (process.arch === 'arm64' ? 'arm64' : 'amd64');
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, created: '2025-01-01T00:00:00Z', config: options.config === undefined ? { Cmd: ['sh'] } : options.config, rootfs: { type: 'layers', diff_ids: options.diffIds ?? layers.map(sha256) } }));
  registry.blobs.set(sha256(config), config);
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: types.manifest,
      config: { mediaType: types.config, digest: sha256(config), size: config.length },
      layers: packed.map((blob) => ({ mediaType: types.gzip, digest: sha256(blob), size: blob.length })),
      ...options.manifest,
    }),
  );
  addManifest(registry, name, tag, types.manifest, body);
  return { id: sha256(config), manifestDigest: sha256(body), layerDigests: packed.map(sha256) };
}

export function addManifest(registry: FakeRegistry, name: string, tag: string, type: string, body: Buffer): void {
  registry.manifests.set(`${name}:${tag}`, { type, body });
  registry.manifests.set(`${name}:${sha256(body)}`, { type, body });
}
