import { execFileSync } from 'node:child_process';
import { gzipSync } from 'node:zlib';
import { addImage, type FakeRegistry, type MadeImage, startFakeRegistry } from '../../fakes/registry.ts';
import { busyboxTree } from '../engine/setup.ts';

/** A registry on loopback with images of the test's own making: a busybox, and what its configuration says. */
export type OwnImages = {
  readonly registry: FakeRegistry;
  /** Answers the reference to pull it by. */
  readonly make: (name: string, options?: { readonly tag?: string; readonly config?: unknown; readonly more?: readonly Buffer[] }) => string;
  readonly made: (reference: string) => MadeImage;
  readonly close: () => Promise<void>;
};

export async function ownImages(): Promise<OwnImages> {
  const registry = await startFakeRegistry();
  const base = execFileSync('tar', ['-C', busyboxTree(), '-cf', '-', '.'], { maxBuffer: 64 * 1024 * 1024 });
  const packed = new Map<Buffer, Buffer>();
  const pack = (tar: Buffer): Buffer => {
    const known = packed.get(tar) ?? gzipSync(tar, { level: 1 });
    packed.set(tar, known);
    return known;
  };
  const images = new Map<string, MadeImage>();
  return {
    registry,
    make: (name, { tag = 'latest', config = { Cmd: ['sh'] }, more = [] } = {}) => {
      const reference = `${registry.host}/${name}:${tag}`;
      // NOTE: what a registry sends may be no object at all; the fake hands it on.
      images.set(reference, addImage(registry, name, tag, [base, ...more], { pack, config: config as object | null }));
      return reference;
    },
    made: (reference) => {
      const found = images.get(reference);
      if (found === undefined) throw new Error(`${reference} was not made`);
      return found;
    },
    close: () => registry.close(),
  };
}
