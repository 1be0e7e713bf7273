/** What the engine reports of a container: the facts on the node, whoever made it. */
export type ContainerState = 'created' | 'running' | 'paused' | 'exited';
export type HealthState = 'none' | 'starting' | 'healthy' | 'unhealthy';

export type ContainerInfo = {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: ContainerState;
  readonly pid: number | null;
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly exitCode: number | null;
  readonly oomKilled: boolean;
  readonly health: HealthState;
  /** The last probes' results, newest last, at most five. */
  readonly healthLog: readonly { readonly startedMs: number; readonly endedMs: number; readonly exitCode: number; readonly output: string }[];
  /** Resolved argv, for `ps`. */
  readonly command: readonly string[];
};

export type ContainerEvent =
  | { readonly kind: 'created'; readonly containerId: string; readonly timeMs: number }
  | { readonly kind: 'started'; readonly containerId: string; readonly timeMs: number; readonly pid: number }
  | { readonly kind: 'exited'; readonly containerId: string; readonly timeMs: number; readonly exitCode: number; readonly oomKilled: boolean }
  | { readonly kind: 'health'; readonly containerId: string; readonly timeMs: number; readonly health: HealthState }
  | { readonly kind: 'removed'; readonly containerId: string; readonly timeMs: number };

export type LogLine = {
  readonly stream: 'stdout' | 'stderr';
  readonly timeMs: number;
  /** RFC 3339 with nanoseconds, as written by the monitor. */
  readonly time: string;
  readonly text: string;
  /** True where the line was cut by the log format's limit and goes on in the next. */
  readonly isPartial: boolean;
};

/** One step of a pull. `id` is a layer's short digest or the image reference. */
export type PullProgress = {
  readonly id: string;
  readonly status: 'resolving' | 'waiting' | 'downloading' | 'extracting' | 'exists' | 'complete' | 'pulled';
  readonly currentBytes?: number;
  readonly totalBytes?: number;
};

export type ImageInfo = {
  /** Digest of the image's configuration: `sha256:…`. */
  readonly id: string;
  /** Familiar references that point to it, `nginx:latest`. */
  readonly tags: readonly string[];
  /** `repo@sha256:…` of the manifests it was pulled by. */
  readonly repoDigests: readonly string[];
  readonly createdMs: number;
  readonly sizeBytes: number;
  readonly os: string;
  readonly architecture: string;
  readonly config: ImageConfig;
};

/** The part of an OCI image configuration that shapes a container (OCI image-spec, config.md). */
export type ImageConfig = {
  readonly user: string;
  readonly env: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly workingDir: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly exposedPorts: readonly string[];
  readonly volumes: readonly string[];
  readonly stopSignal: string;
  readonly healthcheck: { readonly test: readonly string[]; readonly intervalMs: number; readonly timeoutMs: number; readonly startPeriodMs: number; readonly startIntervalMs: number; readonly retries: number } | null;
};

export type VolumeInfo = {
  readonly name: string;
  readonly mountpoint: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly options: Readonly<Record<string, string>>;
  readonly createdMs: number;
};
