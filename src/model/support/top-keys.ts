import { no, oneOf, settled, some, tied, yes, type KeyRow } from './table.ts';
import { enabledRule, networkOptionsRule, poolsRule, volumeOptionsRule } from './values.ts';

/** The keys beside and around services. */
export const topKeys: readonly KeyRow[] = [
  ...settled('the loader: there is one version of the language', 'version'),
  ...settled('the loader', 'include'),
  ...yes('name', 'services', 'networks', 'volumes', 'secrets', 'configs'),
  ...no('models are not run yet', 'remove the key and give the endpoint by `environment`', 'models'),
  ...yes('networks.*.name', 'networks.*.external', 'networks.*.internal', 'networks.*.enable_ipv6', 'networks.*.labels'),
  ...settled('the loader, into `name`', ...['networks', 'volumes', 'secrets', 'configs'].map((section) => `${section}.*.external.name`)),
  ...settled('what every network is: containers of other projects can join it', 'networks.*.attachable'),
  ...some(oneOf(['bridge', 'overlay', 'default'], 'networks are routed by the daemon; the drivers bridge and overlay are taken as that', 'use driver bridge or overlay, or remove the key; for the host\'s network use `network_mode: host`'), 'networks.*.driver'),
  ...some(networkOptionsRule, 'networks.*.driver_opts'),
  ...some(enabledRule, 'networks.*.enable_ipv4'),
  ...yes('networks.*.ipam'),
  ...some(oneOf(['default'], 'addresses are given by the built-in driver', 'use driver default, or remove the key'), 'networks.*.ipam.driver'),
  ...no('options of an address driver are not known', 'remove the key', 'networks.*.ipam.options'),
  ...some(poolsRule, 'networks.*.ipam.config'),
  ...yes(...['subnet', 'gateway', 'ip_range', 'aux_addresses'].map((key) => `networks.*.ipam.config.[].${key}`)),
  ...tied('a volume lives on one node, and the services that use it run there', 'volumes.*'),
  ...yes('volumes.*.name', 'volumes.*.external', 'volumes.*.labels'),
  ...some(oneOf(['local', 'default'], 'volumes are local', 'use driver local, or remove the key'), 'volumes.*.driver'),
  ...some(volumeOptionsRule, 'volumes.*.driver_opts'),
  ...yes(...['secrets', 'configs'].flatMap((section) => ['name', 'external', 'labels'].map((key) => `${section}.*.${key}`))),
  ...settled('the command, which hands on what it holds', ...['secrets', 'configs'].flatMap((section) => ['file', 'environment'].map((key) => `${section}.*.${key}`)), 'configs.*.content'),
  ...no('secrets come from files, the environment or the store', 'use file, environment or external', 'secrets.*.driver', 'secrets.*.driver_opts'),
  ...no('secrets are not templates', 'remove the key', 'secrets.*.template_driver'),
  ...no('configs are not templates', 'remove the key; values are filled in by interpolation of `content`', 'configs.*.template_driver'),
];
