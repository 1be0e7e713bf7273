import { no, oneOf, some, tied, yes } from './target.ts';
import type { KeyRow } from './target.ts';

/** The keys beside and around services. */
export const topKeys: readonly KeyRow[] = [
  ...yes('version', 'name', 'include', 'services', 'networks', 'volumes', 'secrets', 'configs'),
  ...no('language models are not run yet', 'models'),
  some('networks.*.driver', oneOf(['bridge', 'overlay', 'default', ''], 'only bridge and overlay are known, and both mean Flotilla\'s own network')),
  ...no('networks have no options', 'networks.*.driver_opts'),
  ...no('addresses of networks are chosen by Flotilla', 'networks.*.ipam.config', 'networks.*.ipam.options', 'networks.*.ipam.driver'),
  ...no('addresses of version 6 come later', 'networks.*.enable_ipv6'),
  some('networks.*.enable_ipv4', oneOf(['true'], 'a network always has addresses of version 4')),
  some('volumes.*.driver', oneOf(['local', 'default', ''], 'only local volumes are known')),
  ...tied('a volume lives on one node, and the services that use it run there', 'volumes.*'),
  ...no('volumes have no options: use a bind mount for a folder, or mount network storage on the host', 'volumes.*.driver_opts'),
  ...no('secrets come from a file or a variable', 'secrets.*.driver', 'secrets.*.driver_opts', 'secrets.*.template_driver', 'secrets.*.external'),
  ...no('configs come from a file, a variable or the compose file itself', 'configs.*.template_driver', 'configs.*.external'),
];
