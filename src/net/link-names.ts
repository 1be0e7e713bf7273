import { createHash } from 'node:crypto';

/**
 * Names in the kernel, made from ids alone so that a new daemon finds what an older one made. A link's name has at most 15
 * characters: `fl`, four for the instance, eight for the attachment. Several daemons on one host never meet in a name.
 */
export type KernelNames = {
  /** What all links of this instance begin with, and no other's do. */
  readonly linkPrefix: string;
  /** The link that carries the gateways' addresses. */
  readonly gatewayLink: string;
  readonly table: string;
  /** Marks routes that have no link to tell whose they are by; also the group of links that are being removed. */
  readonly number: number;
};

/** All instances' links begin so. */
export const anyLinkPrefix = 'fl';
/** All instances' tables begin so. */
export const anyTablePrefix = 'flotilla_';
/** The maker's number on our routes, as the kernel keeps it. */
export const routeProtocol = 97;

export function kernelNames(instanceId: string): KernelNames {
  const digest = createHash('sha256').update(`instance ${instanceId}`).digest();
  const tag = base36(digest, 4);
  return { linkPrefix: `${anyLinkPrefix}${tag}`, gatewayLink: `${anyLinkPrefix}${tag}gw`, table: `${anyTablePrefix}${tag}`, number: 0x46000000 | (digest.readUInt32BE(16) >>> 8) };
}

/** The host's end of an attachment. */
export function hostLinkName(names: KernelNames, endpointId: string, interfaceName: string): string {
  return `${names.linkPrefix}${base36(createHash('sha256').update(`link ${endpointId} ${interfaceName}`).digest(), 8)}`;
}

function base36(digest: Buffer, length: number): string {
  return digest.readBigUInt64BE(0).toString(36).padStart(13, '0').slice(-length);
}
