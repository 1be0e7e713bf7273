import { arch } from 'node:process';
import { AppError } from '../../base/app-error.ts';

export type Platform = { readonly os: string; readonly architecture: string; readonly variant: string };

const architectures: Readonly<Record<string, string>> = { x64: 'amd64', x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', ia32: 'i386', i686: '386', i386: '386', armhf: 'arm', armel: 'arm' };

/** This machine's, in the words of images. */
export function hostPlatform(): Platform {
  return normal({ os: 'linux', architecture: arch, variant: '' });
}

/** `linux/arm64/v8`, `arm64`, `linux`. Errors: ENGINE_IMAGE_PLATFORM. */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) throw new AppError({ code: 'ENGINE_IMAGE_PLATFORM', message: `'${text}' is no platform`, hint: 'write it as linux/amd64' });
  const [first = '', second, third] = parts;
  if (second === undefined) return first === 'linux' ? hostPlatform() : normal({ os: 'linux', architecture: first, variant: '' });
  return normal({ os: first, architecture: second, variant: third ?? '' });
}

export function platformText(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant === '' ? [] : [platform.variant])].join('/');
}

/** arm64 is v8 and arm is v7 where no variant is named. Source: containerd/platforms, normalisation table. */
export function normal(platform: Platform): Platform {
  const architecture = architectures[platform.architecture] ?? platform.architecture;
  const variant = architecture === 'arm64' && platform.variant === '' ? 'v8' : architecture === 'arm' && platform.variant === '' ? 'v7' : architecture === 'amd64' && platform.variant === 'v1' ? '' : platform.variant;
  return { os: platform.os, architecture, variant };
}

/**
 * The first of the best: the same variant, else the highest below it (an arm/v7 runs v6).
 * Answers null where none fits.
 */
export function choosePlatform<T extends { readonly platform: Platform | null }>(offered: readonly T[], wanted: Platform): T | null {
  let best: { readonly one: T; readonly rank: number } | null = null;
  for (const one of offered) {
    if (one.platform === null) continue;
    const rank = rankOf(normal(one.platform), wanted);
    if (rank >= 0 && (best === null || rank > best.rank)) best = { one, rank };
  }
  return best?.one ?? null;
}

export function fits(offered: Platform, wanted: Platform): boolean {
  return rankOf(normal(offered), wanted) >= 0;
}

function rankOf(offered: Platform, wanted: Platform): number {
  if (offered.os !== wanted.os || offered.architecture !== wanted.architecture) return -1;
  if (offered.variant === wanted.variant) return 1000;
  const level = (variant: string): number => Number(/^v(\d+)/.exec(variant)?.[1] ?? 0);
  return level(offered.variant) <= level(wanted.variant) ? level(offered.variant) : -1;
}
