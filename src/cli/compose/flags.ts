/** Flags before the command, as Compose takes them. */
export type ComposeFlags = {
  readonly file?: readonly string[];
  readonly projectName?: string;
  readonly projectDirectory?: string;
  readonly profile?: readonly string[];
  readonly envFile?: readonly string[];
  readonly progress?: string;
  readonly ansi?: string;
  readonly parallel?: string;
  readonly compatibility?: boolean;
  readonly allResources?: boolean;
  readonly dryRun?: boolean;
};
