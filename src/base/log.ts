export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** Structured logging: an event name (`room.what`) and fields. The daemon decides where lines go. */
export type Log = {
  readonly debug: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly info: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly warn: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  readonly error: (event: string, fields?: Readonly<Record<string, unknown>>) => void;
  /** The same log with fields that every line carries. */
  readonly child: (fields: Readonly<Record<string, unknown>>) => Log;
};

/** A log that drops everything, for tests. */
export const silentLog: Log = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silentLog,
};

/** A log that writes one JSON object a line to `write`. */
export function jsonLog(options: {
  readonly write: (line: string) => void;
  readonly nowMs: () => number;
  readonly level: LogLevel;
  readonly fields?: Readonly<Record<string, unknown>>;
}): Log {
  const order: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];
  const emit = (level: LogLevel) => (event: string, fields?: Readonly<Record<string, unknown>>): void => {
    if (order.indexOf(level) < order.indexOf(options.level)) return;
    options.write(`${JSON.stringify({ time: new Date(options.nowMs()).toISOString(), level, event, ...options.fields, ...fields })}\n`);
  };
  return {
    debug: emit('debug'),
    info: emit('info'),
    warn: emit('warn'),
    error: emit('error'),
    child: (fields) => jsonLog({ ...options, fields: { ...options.fields, ...fields } }),
  };
}
