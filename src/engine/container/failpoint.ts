/**
 * Called by name before each step that changes something outside the process. Tests end the process here to prove that the
 * next `open` settles whatever was half done; in production it does nothing.
 */
export type Failpoint = (name: FailpointName) => void;

export const failpointNames = [
  'create:begin', 'create:dir', 'create:spec', 'create:state', 'create:volumes', 'create:files', 'create:ready',
  'launch:begin', 'launch:rootfs', 'launch:mounts', 'launch:config', 'launch:spawned', 'launch:created', 'launch:recorded',
  'start:requested', 'start:released', 'start:recorded',
  'exit:seen', 'exit:recorded', 'exit:cleaned', 'stop:signalled',
  'remove:begin', 'remove:marked', 'remove:killed', 'remove:runtime', 'remove:rootfs', 'remove:volumes', 'remove:secrets', 'remove:dir',
] as const;

export type FailpointName = (typeof failpointNames)[number];

export const noFailpoint: Failpoint = () => undefined;
