import { humanDuration } from '../../base/units.ts';
import type { ContainerSummary } from '../../model/progress.ts';

/** A span in words, as Docker says it: `5 seconds`, `About a minute`, `3 hours`. */
export function spanText(spanMs: number): string {
  return humanDuration(Math.max(0, spanMs) / 1000);
}

/** The STATUS column of `ps`. */
export function statusText(container: ContainerSummary, nowMs: number): string {
  const since = (ms: number | null): string => spanText(nowMs - (ms ?? nowMs));
  switch (container.state) {
    case 'running':
      return `Up ${since(container.startedMs)}${container.health === 'none' ? '' : container.health === 'starting' ? ' (health: starting)' : ` (${container.health})`}`;
    case 'paused':
      return `Up ${since(container.startedMs)} (Paused)`;
    case 'restarting':
      return `Restarting (${container.exitCode ?? 0}) ${since(container.finishedMs)} ago`;
    case 'exited':
      return `Exited (${container.exitCode ?? 0}) ${since(container.finishedMs)} ago`;
    case 'created':
      return 'Created';
    case 'removing':
      return 'Removal In Progress';
    case 'dead':
      return 'Dead';
  }
}

/** The PORTS column: `0.0.0.0:8080->80/tcp, 443/tcp`. */
export function portsText(container: ContainerSummary): string {
  return container.ports
    .map((port) => {
      const inner = `${port.containerPort}/${port.protocol}`;
      if (port.hostPort === null) return inner;
      const ip = port.hostIp ?? '0.0.0.0';
      return `${ip.includes(':') ? `[${ip}]` : ip}:${port.hostPort}->${inner}`;
    })
    .join(', ');
}

/** The COMMAND column: quoted, cut to 20 characters unless `noTrunc`. */
export function commandText(command: readonly string[], noTrunc: boolean): string {
  const text = command.map((word, index) => (index > 0 && word.includes(' ') ? `'${word}'` : word)).join(' ');
  return JSON.stringify(noTrunc || text.length <= 20 ? text : `${text.slice(0, 19)}…`);
}
