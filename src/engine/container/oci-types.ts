/** The part of the OCI runtime configuration (runtime-spec, config.md) that the engine writes. Field names are the document's own. */
export type OciConfig = {
  readonly ociVersion: string;
  readonly process: OciProcess;
  readonly root: { readonly path: string; readonly readonly: boolean };
  readonly hostname?: string;
  readonly domainname?: string;
  readonly mounts: readonly OciMount[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly linux: OciLinux;
};

export type OciProcess = {
  readonly terminal: boolean;
  readonly user: { readonly uid: number; readonly gid: number; readonly umask?: number; readonly additionalGids: readonly number[] };
  readonly args: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string;
  readonly capabilities: Readonly<Record<'bounding' | 'effective' | 'permitted' | 'inheritable' | 'ambient', readonly string[]>>;
  readonly rlimits: readonly OciRlimit[];
  readonly noNewPrivileges: boolean;
  readonly oomScoreAdj?: number;
};

export type OciRlimit = { readonly type: string; readonly soft: number; readonly hard: number };
export type OciMount = { readonly destination: string; readonly type: string; readonly source: string; readonly options: readonly string[] };
export type OciNamespace = { readonly type: 'pid' | 'network' | 'mount' | 'ipc' | 'uts' | 'cgroup'; readonly path?: string };
export type OciDevice = { readonly path: string; readonly type: 'b' | 'c' | 'p'; readonly major: number; readonly minor: number; readonly fileMode: number; readonly uid: number; readonly gid: number };
export type OciDeviceRule = { readonly allow: boolean; readonly type?: 'a' | 'b' | 'c'; readonly major?: number; readonly minor?: number; readonly access: string };

export type OciResources = {
  readonly devices: readonly OciDeviceRule[];
  readonly memory?: { readonly limit?: number; readonly swap?: number; readonly reservation?: number; readonly disableOOMKiller?: boolean };
  readonly cpu?: { readonly shares?: number; readonly quota?: number; readonly period?: number; readonly cpus?: string; readonly mems?: string };
  readonly pids?: { readonly limit: number };
};

export type OciLinux = {
  readonly namespaces: readonly OciNamespace[];
  readonly cgroupsPath: string;
  readonly resources: OciResources;
  readonly devices: readonly OciDevice[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly seccomp?: OciSeccomp;
  readonly maskedPaths: readonly string[];
  readonly readonlyPaths: readonly string[];
  readonly rootfsPropagation?: string;
};

export type OciSeccomp = {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures: readonly string[];
  readonly syscalls: readonly OciSeccompRule[];
};

export type OciSeccompRule = {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly { readonly index: number; readonly value: number; readonly valueTwo?: number; readonly op: string }[];
};
