/** The MTU that `driver_opts` asks for, in bytes; null where it asks for none. */
export function parseDriverMtu(options: Readonly<Record<string, string>>): number | null {
  const mtu = Number(options['com.docker.network.driver.mtu'] ?? '');
  return Number.isInteger(mtu) && mtu > 0 ? mtu : null;
}
