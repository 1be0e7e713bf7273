/**
 * What the engine needs to make one container: the output of `cluster/lower`, the input of `engine`.
 * Nothing in it refers to the compose file; every path on the host is absolute; every default is filled in or null,
 * null meaning "as the image says".
 */
export type ContainerSpec = {
  /** Unique on the node: `<project>-<service>-<slot>` or `container_name`. */
  readonly name: string;
  readonly image: string;
  readonly platform: string | null;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;

  /** null: the image's. An empty list clears the image's. */
  readonly entrypoint: readonly string[] | null;
  readonly command: readonly string[] | null;
  /** On top of the image's environment, which it overrides by name; null unsets. */
  readonly environment: Readonly<Record<string, string | null>>;
  /** `user`, `user:group`, ids or names of the image's own passwd; null: the image's. */
  readonly user: string | null;
  readonly groupAdd: readonly string[];
  readonly workingDir: string | null;
  readonly tty: boolean;
  readonly stdinOpen: boolean;
  /** Runs a small init as PID 1 that forwards signals and reaps. */
  readonly init: boolean;

  readonly hostname: string | null;
  readonly domainname: string | null;
  /** `host` uses the node's; `private` its own; `container:<id>` joins another. The network one is made by the caller. */
  readonly namespaces: {
    readonly network: { readonly kind: 'path'; readonly path: string } | { readonly kind: 'host' };
    readonly pid: NamespaceChoice;
    readonly ipc: NamespaceChoice;
    readonly uts: 'private' | 'host';
    readonly user: 'private' | 'host';
    readonly cgroup: 'private' | 'host';
  };

  readonly mounts: readonly ContainerMount[];
  readonly readOnlyRootfs: boolean;
  /** Files the engine writes below the container's own directory and bind-mounts: resolv.conf, hosts, hostname, secrets, configs. */
  readonly files: readonly InjectedFile[];
  readonly devices: readonly DeviceSpec[];
  readonly deviceCgroupRules: readonly string[];
  readonly shmSizeBytes: number | null;

  readonly privileged: boolean;
  readonly capAdd: readonly string[];
  readonly capDrop: readonly string[];
  readonly noNewPrivileges: boolean;
  /** `default`: the built-in profile; `unconfined`; or the text of a Docker-format profile. */
  readonly seccomp: { readonly kind: 'default' } | { readonly kind: 'unconfined' } | { readonly kind: 'profile'; readonly json: string };
  readonly sysctls: Readonly<Record<string, string>>;
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly oomScoreAdj: number | null;
  readonly oomKillDisable: boolean;

  readonly resources: ContainerResources;
  readonly stopSignal: string | null;
  readonly stopGraceMs: number;
  readonly healthcheck: HealthcheckSpec | null;
  readonly logging: LogSpec;
};

export type NamespaceChoice = { readonly kind: 'private' } | { readonly kind: 'host' } | { readonly kind: 'container'; readonly containerId: string };

export type ContainerMount =
  | {
      readonly kind: 'bind'; readonly source: string; readonly target: string; readonly readOnly: boolean; readonly propagation: string; readonly createHostPath: boolean; readonly isRecursive: boolean;
      /** What becomes of mounts below a read-only one. Absent: read-only too where the kernel can. */
      readonly submounts?: 'writable' | 'read-only';
    }
  | { readonly kind: 'volume'; readonly volumeName: string; readonly target: string; readonly readOnly: boolean; readonly noCopy: boolean; readonly subpath: string | null }
  | { readonly kind: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null; readonly mode: number | null; readonly options: readonly string[] };

export type InjectedFile = {
  readonly target: string;
  readonly content: Uint8Array;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** A secret lives on a tmpfs and never on a disk. */
  readonly isSecret: boolean;
  /** False for /etc/hosts, /etc/hostname and /etc/resolv.conf, which the application may write as under Docker. */
  readonly readOnly: boolean;
};

export type DeviceSpec = { readonly source: string; readonly target: string; readonly permissions: string };

/** Bytes and nano-cpus; null: no limit (`pids` null: the default of the security profile). */
export type ContainerResources = {
  readonly memoryBytes: number | null;
  readonly memorySwapBytes: number | null;
  readonly memoryReservationBytes: number | null;
  readonly nanoCpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuPeriodUs: number | null;
  readonly cpuQuotaUs: number | null;
  readonly cpusetCpus: string | null;
  readonly cpusetMems: string | null;
  readonly pidsMax: number | null;
};

/** Times in milliseconds. `test` is what runs: [] disables the image's, null in the spec leaves the image's. */
export type HealthcheckSpec = {
  readonly test: { readonly kind: 'none' } | { readonly kind: 'exec'; readonly argv: readonly string[] } | { readonly kind: 'shell'; readonly line: string } | { readonly kind: 'image' };
  readonly intervalMs: number | null;
  readonly timeoutMs: number | null;
  readonly startPeriodMs: number | null;
  readonly startIntervalMs: number | null;
  readonly retries: number | null;
};

export type LogSpec = { readonly driver: 'local' | 'none'; readonly maxSizeBytes: number; readonly maxFiles: number };
