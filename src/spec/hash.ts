import type { Service } from '../model/project.ts';
import { sha256Hex } from '../base/sha256.ts';
import { printServiceJson } from './print/json.ts';

/**
 * What changes when a service's containers must be made anew: the SHA-256 of its canonical JSON without what only says how
 * many there are, in which order they start, and how their image comes to be. Equal to the reference's `config --hash`.
 */
export function serviceHash(service: Service): string {
  const { build: _build, pull_policy: _pullPolicy, scale: _scale, depends_on: _dependsOn, profiles: _profiles, deploy, ...rest } = service;
  const { replicas: _replicas, ...placed } = deploy ?? { resources: {}, placement: {} };
  return sha256Hex(printServiceJson(deploy === undefined ? rest : { ...rest, deploy: placed }, { indent: 0, escapeDollars: false }));
}
