/**
 * The canonical application: what `flotilla compose config --format json` prints, typed.
 * Names, nesting and value forms are those of the reference loader's JSON: durations are Go durations ("1m30s"),
 * byte sizes are decimal strings, modes are octal strings, published ports are strings (they may be ranges).
 * A field that is absent was not set in the file and has no default in the language.
 */

/** `x-…` keys, kept as they were written. */
export type Extensions = { readonly [key: `x-${string}`]: unknown };

export type StringMap = { readonly [key: string]: string };
/** null: named without a value and unset in the environment, so it is not passed on. */
export type NullableStringMap = { readonly [key: string]: string | null };

/** Go's notation: `1h2m3.5s`, `0s`. */
export type DurationText = string;
/** A count of bytes in decimal digits, perhaps negative (`-1`: unlimited). */
export type ByteText = string;
/** An octal mode with a leading zero: `0440`. */
export type ModeText = string;

export type Project = Extensions & {
  readonly name: string;
  readonly services: { readonly [name: string]: Service };
  readonly networks?: { readonly [name: string]: Network };
  readonly volumes?: { readonly [name: string]: Volume };
  readonly secrets?: { readonly [name: string]: SecretSource };
  readonly configs?: { readonly [name: string]: ConfigSource };
  readonly models?: { readonly [name: string]: Model };
};

export type Service = Extensions & {
  readonly profiles?: readonly string[];
  readonly annotations?: StringMap;
  readonly attach?: boolean;
  readonly build?: Build;
  readonly develop?: Develop;
  readonly blkio_config?: BlkioConfig;
  readonly cap_add?: readonly string[];
  readonly cap_drop?: readonly string[];
  readonly cgroup_parent?: string;
  readonly cgroup?: string;
  readonly cpu_count?: number;
  readonly cpu_percent?: number;
  readonly cpu_period?: number;
  readonly cpu_quota?: number;
  readonly cpu_rt_period?: number;
  readonly cpu_rt_runtime?: number;
  readonly cpus?: number;
  readonly cpuset?: string;
  readonly cpu_shares?: number;
  /** null: the image's command. [] clears it. */
  readonly command: readonly string[] | null;
  readonly configs?: readonly FileReference[];
  readonly container_name?: string;
  readonly credential_spec?: CredentialSpec;
  readonly depends_on?: { readonly [serviceName: string]: Dependency };
  readonly deploy?: Deploy;
  readonly device_cgroup_rules?: readonly string[];
  readonly devices?: readonly DeviceMapping[];
  readonly dns?: readonly string[];
  readonly dns_opt?: readonly string[];
  readonly dns_search?: readonly string[];
  readonly domainname?: string;
  /** null: the image's entrypoint. [] clears it. */
  readonly entrypoint: readonly string[] | null;
  readonly provider?: Provider;
  readonly environment?: NullableStringMap;
  readonly env_file?: readonly EnvFile[];
  readonly expose?: readonly string[];
  readonly extends?: { readonly file?: string; readonly service?: string };
  readonly external_links?: readonly string[];
  /** `host=ip`, sorted. */
  readonly extra_hosts?: readonly string[];
  readonly group_add?: readonly string[];
  readonly gpus?: readonly DeviceRequest[];
  readonly hostname?: string;
  readonly healthcheck?: Healthcheck;
  readonly image?: string;
  readonly init?: boolean;
  readonly ipc?: string;
  readonly isolation?: string;
  readonly labels?: StringMap;
  readonly label_file?: readonly string[];
  readonly links?: readonly string[];
  readonly logging?: Logging;
  readonly mem_limit?: ByteText;
  readonly mem_reservation?: ByteText;
  readonly memswap_limit?: ByteText;
  /** 0 to 100, in the text form of a byte size as the reference prints it. */
  readonly mem_swappiness?: ByteText;
  readonly mac_address?: string;
  readonly models?: { readonly [modelName: string]: ServiceModel | null };
  readonly network_mode?: string;
  readonly networks?: { readonly [networkName: string]: ServiceNetwork | null };
  readonly oom_kill_disable?: boolean;
  readonly oom_score_adj?: number;
  readonly pid?: string;
  readonly pids_limit?: number;
  readonly platform?: string;
  readonly ports?: readonly Port[];
  readonly privileged?: boolean;
  readonly pull_policy?: string;
  readonly read_only?: boolean;
  readonly restart?: string;
  readonly runtime?: string;
  readonly scale?: number;
  readonly secrets?: readonly FileReference[];
  readonly security_opt?: readonly string[];
  readonly shm_size?: ByteText;
  readonly stdin_open?: boolean;
  readonly stop_grace_period?: DurationText;
  readonly stop_signal?: string;
  readonly storage_opt?: StringMap;
  readonly sysctls?: StringMap;
  readonly tmpfs?: readonly string[];
  readonly tty?: boolean;
  readonly ulimits?: { readonly [name: string]: Ulimit };
  readonly use_api_socket?: boolean;
  readonly user?: string;
  readonly userns_mode?: string;
  readonly uts?: string;
  readonly volumes?: readonly Mount[];
  readonly volumes_from?: readonly string[];
  readonly working_dir?: string;
  readonly pre_start?: readonly PreStartHook[];
  readonly post_start?: readonly Hook[];
  readonly pre_stop?: readonly Hook[];
};

export type Build = Extensions & {
  readonly context?: string;
  readonly dockerfile?: string;
  readonly dockerfile_inline?: string;
  readonly entitlements?: readonly string[];
  readonly args?: NullableStringMap;
  readonly provenance?: string;
  readonly sbom?: string;
  /** `default` or `id=path`. */
  readonly ssh?: readonly string[];
  readonly labels?: StringMap;
  readonly cache_from?: readonly string[];
  readonly cache_to?: readonly string[];
  readonly no_cache?: boolean;
  readonly no_cache_filter?: readonly string[];
  readonly additional_contexts?: StringMap;
  readonly pull?: boolean;
  readonly extra_hosts?: readonly string[];
  readonly isolation?: string;
  readonly network?: string;
  readonly target?: string;
  readonly secrets?: readonly FileReference[];
  readonly shm_size?: ByteText;
  readonly tags?: readonly string[];
  readonly ulimits?: { readonly [name: string]: Ulimit };
  readonly platforms?: readonly string[];
  readonly privileged?: boolean;
};

export type Develop = Extensions & { readonly watch?: readonly WatchRule[] };

export type WatchRule = Extensions & {
  readonly path: string;
  readonly action: 'sync' | 'rebuild' | 'restart' | 'sync+restart' | 'sync+exec';
  readonly target?: string;
  readonly exec?: Hook;
  readonly include?: readonly string[];
  readonly ignore?: readonly string[];
  readonly initial_sync?: boolean;
};

/** NOTE: the reference's JSON spells the keys of these two `Path`, `Weight`, `Rate`; its YAML and the language use small letters, as here. */
export type WeightDevice = Extensions & { readonly path: string; readonly weight: number };
export type ThrottleDevice = Extensions & { readonly path: string; readonly rate: ByteText };

export type BlkioConfig = Extensions & {
  readonly weight?: number;
  readonly weight_device?: readonly WeightDevice[];
  readonly device_read_bps?: readonly ThrottleDevice[];
  readonly device_read_iops?: readonly ThrottleDevice[];
  readonly device_write_bps?: readonly ThrottleDevice[];
  readonly device_write_iops?: readonly ThrottleDevice[];
};

/** How a service uses a config or a secret. */
export type FileReference = Extensions & {
  readonly source?: string;
  readonly target?: string;
  readonly uid?: string;
  readonly gid?: string;
  readonly mode?: ModeText;
};

export type CredentialSpec = Extensions & { readonly config?: string; readonly file?: string; readonly registry?: string };

export type DependencyCondition = 'service_started' | 'service_healthy' | 'service_completed_successfully';

export type Dependency = Extensions & {
  readonly condition: DependencyCondition;
  /** The dependent is restarted when the dependency is updated. */
  readonly restart?: boolean;
  readonly required: boolean;
};

export type Deploy = Extensions & {
  readonly mode?: string;
  readonly replicas?: number;
  readonly labels?: StringMap;
  readonly update_config?: UpdateConfig;
  readonly rollback_config?: UpdateConfig;
  readonly resources: Resources;
  readonly restart_policy?: RestartPolicy;
  readonly placement: Placement;
  readonly endpoint_mode?: string;
};

export type UpdateConfig = Extensions & {
  readonly parallelism?: number;
  readonly delay?: DurationText;
  readonly failure_action?: string;
  readonly monitor?: DurationText;
  readonly max_failure_ratio?: number;
  readonly order?: string;
};

export type Resources = Extensions & { readonly limits?: Resource; readonly reservations?: Resource };

export type Resource = Extensions & {
  readonly cpus?: number;
  readonly memory?: ByteText;
  readonly pids?: number;
  readonly devices?: readonly DeviceRequest[];
  readonly generic_resources?: readonly GenericResource[];
};

export type GenericResource = Extensions & {
  readonly discrete_resource_spec?: Extensions & { readonly kind: string; readonly value: number };
};

export type DeviceRequest = Extensions & {
  readonly capabilities?: readonly string[];
  readonly driver?: string;
  /** -1: all. */
  readonly count?: number;
  readonly device_ids?: readonly string[];
  readonly options?: StringMap;
};

export type RestartPolicy = Extensions & {
  readonly condition?: string;
  readonly delay?: DurationText;
  readonly max_attempts?: number;
  readonly window?: DurationText;
};

export type Placement = Extensions & {
  readonly constraints?: readonly string[];
  readonly preferences?: readonly (Extensions & { readonly spread?: string })[];
  readonly max_replicas_per_node?: number;
};

export type DeviceMapping = Extensions & { readonly source?: string; readonly target?: string; readonly permissions?: string };

/** `options` may repeat a name, so each holds a list. */
export type Provider = Extensions & {
  readonly type?: string;
  readonly options?: { readonly [name: string]: readonly string[] };
};

/** `required: false`: the file may be missing. */
export type EnvFile = { readonly path: string; readonly required?: boolean; readonly format?: string };

export type Healthcheck = Extensions & {
  /** First word CMD, CMD-SHELL or NONE. */
  readonly test?: readonly string[];
  readonly timeout?: DurationText;
  readonly interval?: DurationText;
  readonly retries?: number;
  readonly start_period?: DurationText;
  readonly start_interval?: DurationText;
  readonly disable?: boolean;
};

export type Logging = Extensions & { readonly driver?: string; readonly options?: StringMap };

export type ServiceModel = Extensions & { readonly endpoint_var?: string; readonly model_var?: string };

export type ServiceNetwork = Extensions & {
  readonly aliases?: readonly string[];
  readonly driver_opts?: StringMap;
  readonly gw_priority?: number;
  readonly interface_name?: string;
  readonly ipv4_address?: string;
  readonly ipv6_address?: string;
  readonly link_local_ips?: readonly string[];
  readonly mac_address?: string;
  readonly priority?: number;
};

export type Port = Extensions & {
  readonly name?: string;
  /** `ingress` (every node) or `host` (the node of the task). */
  readonly mode?: string;
  readonly host_ip?: string;
  readonly target: number;
  /** A port or a range `8000-8010`; absent: any free one. */
  readonly published?: string;
  readonly protocol?: string;
  readonly app_protocol?: string;
};

/** A side that is absent is 0. */
export type Ulimit = number | (Extensions & { readonly soft?: number; readonly hard?: number });

export type MountType = 'bind' | 'volume' | 'tmpfs' | 'cluster' | 'npipe' | 'image';

export type Mount = Extensions & {
  readonly type: MountType;
  readonly source?: string;
  readonly target?: string;
  readonly read_only?: boolean;
  readonly consistency?: string;
  readonly bind?: BindOptions;
  readonly volume?: VolumeOptions;
  readonly tmpfs?: TmpfsOptions;
  readonly image?: Extensions & { readonly subpath?: string };
};

export type BindOptions = Extensions & {
  readonly selinux?: string;
  readonly propagation?: string;
  readonly create_host_path?: boolean;
  readonly recursive?: string;
};

export type VolumeOptions = Extensions & { readonly labels?: StringMap; readonly nocopy?: boolean; readonly subpath?: string };

/** NOTE: this mode is a number, unlike the modes of configs and secrets. */
export type TmpfsOptions = Extensions & { readonly size?: ByteText; readonly mode?: number };

export type Hook = Extensions & {
  readonly command: readonly string[] | null;
  readonly user?: string;
  readonly privileged?: boolean;
  readonly working_dir?: string;
  readonly environment?: NullableStringMap;
};

export type PreStartHook = Hook & { readonly image?: string; readonly per_replica?: boolean };

export type Network = Extensions & {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly ipam: Ipam;
  readonly external?: boolean;
  readonly internal?: boolean;
  readonly attachable?: boolean;
  readonly labels?: StringMap;
  readonly enable_ipv4?: boolean;
  readonly enable_ipv6?: boolean;
};

export type Ipam = Extensions & { readonly driver?: string; readonly config?: readonly IpamPool[]; readonly options?: StringMap };

export type IpamPool = Extensions & {
  readonly subnet?: string;
  readonly gateway?: string;
  readonly ip_range?: string;
  readonly aux_addresses?: StringMap;
};

export type Volume = Extensions & {
  readonly name?: string;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly external?: boolean;
  readonly labels?: StringMap;
};

/** Where a secret's bytes come from. Its content is never part of the model: the loader hands it out apart. */
export type SecretSource = Extensions & {
  readonly name?: string;
  readonly file?: string;
  readonly environment?: string;
  readonly external?: boolean;
  readonly labels?: StringMap;
  readonly driver?: string;
  readonly driver_opts?: StringMap;
  readonly template_driver?: string;
};

/** `content` is also filled from `environment`; it is then not printed. */
export type ConfigSource = SecretSource & { readonly content?: string };

export type Model = Extensions & {
  readonly name?: string;
  readonly model?: string;
  readonly context_size?: number;
  readonly runtime_flags?: readonly string[];
};
