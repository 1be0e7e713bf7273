import type { Diagnostic } from '../base/diagnostic.ts';
import type { Project } from '../model/project.ts';

/** What the host found at a path. Give the same object for the same content: the loader remembers what it parsed. */
export type Provided =
  | { readonly kind: 'file'; readonly content: string | Uint8Array }
  | { readonly kind: 'directory' }
  | { readonly kind: 'missing' }
  /** Neither missing nor readable: the message says why. */
  | { readonly kind: 'unreadable'; readonly message: string };

/** What the loader wants to know before it can go on. */
export type Need =
  | { readonly kind: 'file'; readonly path: string }
  /** The path with its first symbolic link followed, as text; the path itself where there is none. */
  | { readonly kind: 'link'; readonly path: string };

export type Phases = {
  readonly interpolate: boolean;
  readonly validate: boolean;
  readonly include: boolean;
  readonly extends: boolean;
  readonly normalize: boolean;
  readonly resolvePaths: boolean;
  readonly checkConsistency: boolean;
  /** Read env files and label files into the services. */
  readonly resolveEnvironment: boolean;
  /** Leave `env_file` and `label_file` out once they are read. */
  readonly discardEnvFiles: boolean;
  /** Leave out networks, volumes, configs, secrets and models that no enabled service uses. */
  readonly dropUnused: boolean;
};

export const allPhases: Phases = {
  interpolate: true, validate: true, include: true, extends: true, normalize: true, resolvePaths: true, checkConsistency: true,
  resolveEnvironment: true, discardEnvFiles: false, dropUnused: false,
};

export type LoadInput = {
  /** Absolute paths of the compose files, in the order in which they are laid over each other; `-` is standard input. */
  readonly files: readonly string[];
  /** The project's folder: relative paths start here. */
  readonly workingDir: string;
  /** The project's environment, as interpolation sees it: see environment.ts. */
  readonly environment: ReadonlyMap<string, string>;
  /** Explicit: from `-p` or COMPOSE_PROJECT_NAME, checked and final. Else a name to use where no file has one. */
  readonly projectName?: { readonly name: string; readonly isExplicit: boolean } | undefined;
  readonly profiles?: readonly string[];
  /** Only these services and what they depend on. Empty: all. */
  readonly services?: readonly string[];
  readonly home?: string | undefined;
  readonly phases?: Partial<Phases>;
  /** What the host answered so far, by path. Begin with an empty map, and add what each answer needs. */
  readonly provided: ReadonlyMap<string, Provided>;
  readonly links?: ReadonlyMap<string, string>;
};

export type Loaded = {
  readonly kind: 'loaded';
  readonly project: Project;
  /** Services that no active profile enables, in their canonical form. */
  readonly disabledServices: Project['services'];
  readonly profiles: readonly string[];
  readonly workingDir: string;
  readonly files: readonly string[];
  /** Every file that had a part in it: includes, bases of `extends`, env files. */
  readonly readFiles: readonly string[];
  readonly environment: ReadonlyMap<string, string>;
  /** Warnings. */
  readonly diagnostics: readonly Diagnostic[];
  /** Where a path of the model (`['services', 'web', 'ports', '0']`) stands in the files; the nearest parent where it has no place. */
  readonly locate: (path: readonly string[]) => Pick<Diagnostic, 'file' | 'line' | 'column' | 'length'> | undefined;
};

export type LoadFailed = { readonly kind: 'failed'; readonly diagnostics: readonly Diagnostic[] };
export type LoadNeeds = { readonly kind: 'need'; readonly needs: readonly Need[] };
export type LoadResult = Loaded | LoadFailed | LoadNeeds;

/** The model before it is typed, for `--no-interpolate` and `--variables`. */
export type LoadedModel = { readonly kind: 'model'; readonly model: unknown; readonly projectName: string; readonly diagnostics: readonly Diagnostic[] };
