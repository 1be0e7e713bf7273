import { AppError } from '../../base/app-error.ts';
import { digestProblem } from '../../base/image-reference.ts';
import type { ImageConfig } from '../../model/container.ts';
import { isObject, namesIn, numberIn, objectIn, parseJson, textIn, textMapIn, textsIn } from './json-fields.ts';
import type { JsonObject } from './json-fields.ts';

export type ImageDocument = {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string;
  readonly createdMs: number;
  readonly diffIds: readonly string[];
  readonly config: ImageConfig;
};

/**
 * Reads an image's configuration, of Docker's or OCI's form.
 * Source: OCI image-spec config.md; `Healthcheck` is Docker's own, its times in nanoseconds.
 */
export function parseImageDocument(body: Uint8Array, name: string): ImageDocument {
  const value = parseJson(Buffer.from(body).toString('utf8'));
  if (!isObject(value)) throw invalid(name, 'its configuration is no JSON object');
  const rootfs = objectIn(value, 'rootfs');
  const diffIds = rootfs === null ? [] : textsIn(rootfs, 'diff_ids');
  if (diffIds.some((one) => digestProblem(one) !== undefined || !one.startsWith('sha256:'))) throw invalid(name, 'its configuration names a layer that is no digest');
  const createdMs = Date.parse(textIn(value, 'created'));
  return {
    os: textIn(value, 'os') || 'linux',
    architecture: textIn(value, 'architecture'),
    variant: textIn(value, 'variant'),
    createdMs: Number.isFinite(createdMs) ? createdMs : 0,
    diffIds,
    config: configOf(objectIn(value, 'config') ?? {}),
  };
}

function configOf(value: JsonObject): ImageConfig {
  return {
    user: textIn(value, 'User'),
    env: textsIn(value, 'Env'),
    entrypoint: wordsIn(value, 'Entrypoint'),
    cmd: wordsIn(value, 'Cmd'),
    workingDir: textIn(value, 'WorkingDir'),
    labels: textMapIn(value, 'Labels'),
    exposedPorts: namesIn(value, 'ExposedPorts'),
    volumes: namesIn(value, 'Volumes'),
    stopSignal: textIn(value, 'StopSignal'),
    healthcheck: healthcheckOf(objectIn(value, 'Healthcheck')),
  };
}

/** As Docker reads it: a text is a list of one. */
function wordsIn(value: JsonObject, key: string): readonly string[] {
  const text = textIn(value, key);
  return text === '' ? textsIn(value, key) : [text];
}

function healthcheckOf(value: JsonObject | null): ImageConfig['healthcheck'] {
  if (value === null) return null;
  const milliseconds = (key: string): number => Math.round(numberIn(value, key) / 1e6);
  return {
    test: textsIn(value, 'Test'),
    intervalMs: milliseconds('Interval'),
    timeoutMs: milliseconds('Timeout'),
    startPeriodMs: milliseconds('StartPeriod'),
    startIntervalMs: milliseconds('StartInterval'),
    retries: numberIn(value, 'Retries'),
  };
}

function invalid(name: string, what: string): AppError {
  return new AppError({ code: 'ENGINE_IMAGE_INVALID', message: `${name} can't be used: ${what}` });
}
