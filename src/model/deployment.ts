import type { Project } from './project.ts';

/** What `compose up` hands to the manager: the canonical project, whole, with the bytes its files hold. */
export type Deployment = {
  readonly project: Project;
  readonly workingDir: string;
  readonly configFiles: readonly string[];
  /** Service name → the hash that `compose config --hash` prints. */
  readonly serviceHashes: Readonly<Record<string, string>>;
  /** Key in the file → content in base64, for all that come from a file, the environment or inline text; an external one has none. */
  readonly secretData: Readonly<Record<string, string>>;
  readonly configData: Readonly<Record<string, string>>;
  /** Services of the file that its profiles leave out: their containers are no orphans. */
  readonly disabledServices?: readonly string[];
  readonly options: DeploymentOptions;
};

export type DeploymentOptions = {
  /** Only these and what they depend on; empty: all. */
  readonly services: readonly string[];
  readonly scale: Readonly<Record<string, number>>;
  readonly forceRecreate: boolean;
  readonly noRecreate: boolean;
  readonly alwaysRecreateDeps: boolean;
  readonly noDeps: boolean;
  readonly removeOrphans: boolean;
  readonly renewAnonVolumes: boolean;
  /** Makes everything, starts nothing. */
  readonly noStart: boolean;
  readonly stopGraceMs: number | null;
  /** Services whose image has moved since their containers were made: recreated even where nothing else has changed. */
  readonly recreate?: readonly string[];
  readonly pull: 'always' | 'missing' | 'never' | 'policy';
};
