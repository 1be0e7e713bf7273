/** Flags before the command, as Compose takes them. */
export type ComposeFlags = Partial<Settings> & {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
  readonly parallel?: string;
  readonly compatibility?: boolean;
  readonly allResources?: boolean;
  readonly dryRun?: boolean;
};

/** What flags or COMPOSE_… variables say of how a command prints, and of containers whose service is gone from the file. */
export type Settings = {
  readonly progress: string | undefined;
  readonly ansi: string | undefined;
  readonly isStatusOnStdout: boolean;
  readonly areOrphansIgnored: boolean;
  readonly areOrphansRemoved: boolean;
};
