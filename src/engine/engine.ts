import type { AppError } from '../base/app-error.ts';
import type { ContainerEvent, ContainerInfo, ImageInfo, LogLine, PullProgress, VolumeInfo } from '../model/container.ts';
import type { ContainerSpec } from '../model/container-spec.ts';

/**
 * The container engine of one node. One real implementation and one fake, both held to the same contract suite.
 * Every call is idempotent where it can be: creating what exists with the same id answers it, removing what is gone succeeds.
 * After a crash, `open` finishes or removes whatever was half done; running containers are adopted, never touched.
 */
export type Engine = {
  readonly images: ImageStore;
  readonly containers: Containers;
  readonly volumes: Volumes;
  readonly info: () => EngineInfo;
  /** Stops watching; containers run on. */
  readonly close: () => Promise<void>;
};

export type EngineInfo = {
  readonly runtime: string;
  readonly runtimeVersion: string;
  readonly monitorVersion: string;
  readonly cgroupVersion: 1 | 2;
  readonly snapshotter: 'overlayfs';
  readonly dataRoot: string;
};

export type ImageStore = {
  /** Fetches what is missing. Two pulls of one reference share one download. Errors: ENGINE_PULL_*, ENGINE_IMAGE_*. */
  readonly pull: (options: {
    readonly reference: string;
    readonly platform?: string | undefined;
    readonly onProgress?: (progress: PullProgress) => void;
    readonly signal?: AbortSignal;
  }) => Promise<ImageInfo>;
  /** What a name means at its registry now: itself with the digest, as `docker.io/library/redis:8@sha256:…`. Fetches nothing else. Errors: as `pull`. */
  readonly pin: (options: { readonly reference: string; readonly signal: AbortSignal }) => Promise<string>;
  readonly list: () => Promise<readonly ImageInfo[]>;
  /** By reference, id or unambiguous id prefix; null where there is none. */
  readonly get: (reference: string) => Promise<ImageInfo | null>;
  /** Refused with ENGINE_IMAGE_IN_USE while a container uses it, unless it only loses a tag. Answers what went. */
  readonly remove: (reference: string, options: { readonly force: boolean }) => Promise<{ readonly untagged: readonly string[]; readonly deleted: readonly string[] }>;
  readonly tag: (source: string, target: string) => Promise<void>;
};

export type Containers = {
  /** Makes the filesystem, the bundle and the runtime's state: the process waits for `start`. The image must be here. `id` is 64 hex characters chosen by the caller. */
  readonly create: (id: string, spec: ContainerSpec) => Promise<ContainerInfo>;
  readonly start: (id: string) => Promise<ContainerInfo>;
  /** The stop signal, the grace time, then SIGKILL. Resolves when the process is gone. */
  readonly stop: (id: string, options: { readonly graceMs?: number | undefined; readonly signal?: string | undefined }) => Promise<ContainerInfo>;
  readonly kill: (id: string, signal: string) => Promise<void>;
  /** Refused with ENGINE_CONTAINER_RUNNING unless `force`. Anonymous volumes go too when `volumes`. */
  readonly remove: (id: string, options: { readonly force: boolean; readonly volumes: boolean }) => Promise<void>;
  readonly list: () => readonly ContainerInfo[];
  readonly get: (id: string) => ContainerInfo | null;
  /** The spec it was made from. */
  readonly spec: (id: string) => ContainerSpec | null;
  /** Every change from now on, in order. The answer unsubscribes. */
  readonly onEvent: (listener: (event: ContainerEvent) => void) => () => void;
  readonly exec: (id: string, options: ExecOptions) => Promise<ExecSession>;
  /** Ends after the last line, or with `follow` when the container has ended and all is read. */
  readonly logs: (id: string, options: LogOptions) => AsyncIterable<LogLine>;
  /** Replaces the content of an injected file (resolv.conf, hosts) in place, in a running container too. */
  readonly rewriteFile: (id: string, target: string, content: Uint8Array) => Promise<void>;
};

export type ExecOptions = {
  readonly argv: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  readonly user: string | null;
  readonly workingDir: string | null;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly privileged: boolean;
  readonly signal?: AbortSignal;
};

export type ExecSession = {
  readonly onOutput: (listener: (stream: 'stdout' | 'stderr', chunk: Uint8Array) => void) => void;
  readonly write: (chunk: Uint8Array) => void;
  readonly endInput: () => void;
  readonly resize: (columns: number, rows: number) => void;
  readonly kill: (signal: string) => void;
  /** The command's exit code; 126 not executable, 127 not found. All output was delivered before it resolves. */
  readonly exitCode: Promise<number>;
  /** Resolves once the command runs, or has ended. */
  readonly started: () => Promise<void>;
  /** Once `exitCode` has resolved: why the command was not run; null where it was. */
  readonly failure: () => AppError | null;
};

export type LogOptions = {
  readonly follow: boolean;
  readonly tailLines: number | null;
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  readonly signal?: AbortSignal;
};

export type Volumes = {
  /** Answers the one that exists. Errors: ENGINE_VOLUME_DRIVER, ENGINE_VOLUME_NAME. */
  readonly create: (options: { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly driver: string; readonly options: Readonly<Record<string, string>> }) => Promise<VolumeInfo>;
  readonly list: () => Promise<readonly VolumeInfo[]>;
  readonly get: (name: string) => Promise<VolumeInfo | null>;
  /** ENGINE_VOLUME_IN_USE while a container (running or not) mounts it. */
  readonly remove: (name: string) => Promise<void>;
};
