/**
 * One line of progress, as Compose prints it: ` <id> <text> <details>`. A later event of the same id replaces the line.
 * Ids: `Network shop_front`, `Volume "shop_data"` → `Volume shop_data`, `Image nginx:1.25`, `Container shop-web-1`.
 */
export type ProgressEvent = {
  readonly kind: 'progress';
  readonly id: string;
  /** A layer's image. */
  readonly parentId?: string;
  readonly status: 'working' | 'done' | 'warning' | 'error';
  /** `Creating`, `Created`, `Starting`, `Started`, `Waiting`, `Healthy`, `Running`, `Stopping`, `Stopped`, `Removing`, `Removed`, `Recreate`, `Recreated`, `Pulling`, `Pulled`, `Error`. */
  readonly text: string;
  readonly details?: string;
  readonly currentBytes?: number;
  readonly totalBytes?: number;
};

/** What a changing call of the API answers, line by line: warnings, progress, and at the end `done`. A failure ends it with an error instead. */
export type ChangeEvent =
  | ProgressEvent
  | { readonly kind: 'warning'; readonly code: string; readonly message: string }
  | { readonly kind: 'done' };

/** What a changing call is to reach before it answers `done`. */
export type Goal = 'created' | 'started' | 'healthy' | 'stopped' | 'removed' | 'restarted';

/** A container as `ps` shows it. */
export type ContainerSummary = {
  readonly id: string;
  readonly name: string;
  readonly image: string;
  readonly imageId: string;
  readonly command: readonly string[];
  readonly projectName: string | null;
  readonly serviceName: string | null;
  readonly slot: number | null;
  readonly createdMs: number;
  readonly startedMs: number | null;
  readonly finishedMs: number | null;
  readonly state: 'created' | 'running' | 'paused' | 'restarting' | 'exited' | 'dead' | 'removing';
  readonly exitCode: number | null;
  readonly health: 'none' | 'starting' | 'healthy' | 'unhealthy';
  readonly ports: readonly { readonly hostIp: string | null; readonly hostPort: number | null; readonly containerPort: number; readonly protocol: string }[];
  readonly networks: readonly string[];
  readonly mounts: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  /** Why it is not as wished; null where it is. */
  readonly error: { readonly code: string; readonly message: string; readonly hint: string | null } | null;
};

/** What came of `rm`. `replacedBy`: the service that the container was of is to have it, so it gets another. */
export type RemovedContainer = { readonly replacedBy: { readonly projectName: string; readonly serviceName: string } | null };

/** A network of ours, and what else the host reaches by the same addresses. `isOfFile`: the file asks for this subnet. */
export type NetworkOverlap = { readonly networkName: string; readonly projectName: string | null; readonly subnet: string; readonly isOfFile: boolean; readonly meets: readonly string[] };
