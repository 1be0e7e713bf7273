import { parsed, refused } from './parsed.ts';
import type { Parsed } from './parsed.ts';

/** An image's name in its parts; `domain` is '' only in what `parseReference` answers for a bare name. */
export type ImageReference = {
  readonly domain: string;
  readonly path: string;
  readonly tag?: string;
  /** `algorithm:hex`. */
  readonly digest?: string;
};

const defaultDomain = 'docker.io';
const legacyDefaultDomain = 'index.docker.io';
const officialPrefix = 'library/';
/** The registry's own limit on a repository's name, and a bound for the whole text, so that matching stays cheap. */
const pathLengthMax = 255;
const textLengthMax = 4096;

const domainPart = '(?:[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?)';
const host = `(?:${domainPart}(?:\\.${domainPart})*|\\[[a-fA-F0-9:]+\\])`;
const domain = `${host}(?::[0-9]+)?`;
const pathPart = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const path = `${pathPart}(?:/${pathPart})*`;
const referencePattern = new RegExp(
  `^(?:(${domain})/)?(${path})(?::([A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?(?:@([A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}))?$`,
);
const digestHexLength: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/**
 * Reads an image's name exactly as written: nothing is filled in.
 * Source: distribution/reference's grammar.
 */
export function parseReference(text: string): Parsed<ImageReference> {
  if (text === '') return refused('an image name must not be empty');
  if (text.length > textLengthMax) return refused(`invalid image name: longer than ${textLengthMax} characters`);
  const match = referencePattern.exec(text);
  if (match === null) {
    return referencePattern.test(text.toLowerCase())
      ? refused(`invalid image name '${text}': the repository's name must be lowercase`)
      : refused(`invalid image name '${text}'`);
  }
  const [, domainText = '', pathText = '', tag, digest] = match;
  if (pathText.length > pathLengthMax) return refused(`invalid image name: the repository's name must not be longer than ${pathLengthMax} characters`);
  if (digest !== undefined) {
    const bad = digestProblem(digest);
    if (bad !== undefined) return refused(bad, text.indexOf('@') + 1);
  }
  return parsed({ domain: domainText, path: pathText, ...(tag === undefined ? {} : { tag }), ...(digest === undefined ? {} : { digest }) });
}

/** Reads a name as people write it and fills in the registry: `redis` is `docker.io/library/redis`. No tag is added. */
export function parseImageName(text: string): Parsed<ImageReference> {
  if (isImageIdText(text)) return refused(`invalid image name '${text}': 64 hexadecimal digits are an image's id, not a name`);
  const { domain: domainText, rest } = splitDomain(text);
  const colon = rest.indexOf(':');
  const repository = colon < 0 ? rest : rest.slice(0, colon);
  if (repository.toLowerCase() !== repository) return refused(`invalid image name '${text}': the repository's name '${repository}' must be lowercase`);
  return parseReference(`${domainText}/${rest}`);
}

/** What a pull asks for: `latest` where neither tag nor digest is given; a digest makes the tag pointless, so it is dropped. */
export function parsePullReference(text: string): Parsed<ImageReference> {
  const name = parseImageName(text);
  if (!name.ok) return name;
  const { domain: domainText, path: pathText, tag, digest } = name.value;
  if (digest !== undefined) return parsed({ domain: domainText, path: pathText, digest });
  return parsed({ domain: domainText, path: pathText, tag: tag ?? 'latest' });
}

/** A name, or the id of an image: 64 hexadecimal digits or a digest alone. */
export function parseAnyReference(text: string): Parsed<ImageReference | { readonly digest: string }> {
  if (isImageIdText(text)) return parsed({ digest: `sha256:${text}` });
  if (/^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/.test(text) && digestProblem(text) === undefined) return parsed({ digest: text });
  return parseImageName(text);
}

/** Only the full form passes: registry, repository, and what follows, as `referenceText` prints it. */
export function parseCanonicalName(text: string): Parsed<ImageReference> {
  const name = parseImageName(text);
  if (name.ok && referenceText(name.value) !== text) return refused(`the image name '${text}' must be written in full, as '${referenceText(name.value)}'`);
  return name;
}

export function referenceName(reference: ImageReference): string {
  return reference.domain === '' ? reference.path : `${reference.domain}/${reference.path}`;
}

export function referenceText(reference: ImageReference): string {
  return referenceName(reference) + suffix(reference);
}

/** The short name people use: Docker Hub's domain and its `library/` are left out. */
export function familiarName(reference: ImageReference): string {
  if (reference.domain !== defaultDomain) return referenceName(reference);
  const rest = reference.path.startsWith(officialPrefix) ? reference.path.slice(officialPrefix.length) : reference.path;
  return rest.includes('/') ? reference.path : rest;
}

export function familiarText(reference: ImageReference): string {
  return familiarName(reference) + suffix(reference);
}

/** Why a digest can't be used, or nothing. */
export function digestProblem(digest: string): string | undefined {
  const colon = digest.indexOf(':');
  const algorithm = digest.slice(0, Math.max(colon, 0));
  const length = Object.hasOwn(digestHexLength, algorithm) ? digestHexLength[algorithm] : undefined;
  if (length === undefined) return `unsupported digest algorithm '${algorithm}'`;
  const hex = digest.slice(colon + 1);
  if (hex.length !== length) return `invalid digest: ${algorithm} has ${length} hexadecimal digits, not ${hex.length}`;
  return /^[0-9a-f]+$/.test(hex) ? undefined : 'invalid digest: its digits must be 0-9 and a-f';
}

function suffix(reference: ImageReference): string {
  return (reference.tag === undefined ? '' : `:${reference.tag}`) + (reference.digest === undefined ? '' : `@${reference.digest}`);
}

function isImageIdText(text: string): boolean {
  return /^[0-9a-f]{64}$/.test(text);
}

function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  if (slash < 0) return { domain: defaultDomain, rest: officialPrefix + text };
  const first = text.slice(0, slash);
  const after = text.slice(slash + 1);
  // NOTE: a first part counts as a registry if it can't be a user's name on Docker Hub: it has a dot, a port, a capital, or is localhost.
  const isDomain = first === 'localhost' || /[.:]/.test(first) || first.toLowerCase() !== first;
  const domainText = first === legacyDefaultDomain || !isDomain ? defaultDomain : first;
  const rest = isDomain ? after : text;
  return { domain: domainText, rest: domainText === defaultDomain && !rest.includes('/') ? officialPrefix + rest : rest };
}
