import { sha256Hex } from '../base/sha256.ts';
import { readQuick } from '../os/quick-files.ts';

type Env = Readonly<Record<string, string | undefined>>;

/** What of Docker's own configuration counts for a command; logins are the daemon's matter. */
export type DockerConfig = {
  /** The context that `docker context use` chose, where it is on another machine. */
  readonly remoteContext: { readonly name: string; readonly host: string } | null;
  /** Variables that Docker's commands give every container: of `proxies`. */
  readonly proxyVariables: Readonly<Record<string, string>>;
};

/**
 * Reads `config.json` in DOCKER_CONFIG, else in ~/.docker. What can't be read counts as empty: the daemon tells of it at the next pull.
 * Source: docker/cli, config file and context store.
 */
export function readDockerConfig(env: Env): DockerConfig {
  const dir = (env['DOCKER_CONFIG'] ?? '') !== '' ? (env['DOCKER_CONFIG'] ?? '') : `${env['HOME'] ?? ''}/.docker`;
  const config = recordOf(readJson(`${dir}/config.json`));
  return { remoteContext: remoteContextOf(dir, config['currentContext']), proxyVariables: variablesOf(recordOf(recordOf(config['proxies'])['default'])) };
}

function remoteContextOf(dir: string, name: unknown): DockerConfig['remoteContext'] {
  if (typeof name !== 'string' || name === '' || name === 'default') return null;
  const meta = recordOf(readJson(`${dir}/contexts/meta/${sha256Hex(name)}/meta.json`));
  const host = recordOf(recordOf(meta['Endpoints'])['docker'])['Host'];
  return typeof host !== 'string' || host === '' || host.startsWith('unix://') ? null : { name, host: host.replace(/\/\/[^/]*@/, '//') };
}

const proxyKeys = { httpProxy: 'HTTP_PROXY', httpsProxy: 'HTTPS_PROXY', noProxy: 'NO_PROXY', ftpProxy: 'FTP_PROXY', allProxy: 'ALL_PROXY' } as const;

/** In both spellings, as programs read either. */
function variablesOf(proxies: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  const found = Object.entries(proxyKeys).flatMap(([key, name]) => {
    const value = proxies[key];
    return typeof value === 'string' && value !== '' ? [[name, value], [name.toLowerCase(), value]] : [];
  });
  return Object.fromEntries(found);
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readQuick(path) ?? '{}');
  } catch {
    return {};
  }
}

function recordOf(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? Object.fromEntries(Object.entries(value)) : {};
}
