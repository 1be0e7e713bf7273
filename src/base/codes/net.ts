/** Codes of the room `net`: code → what it means. */
export const netCodes = {
  NET_PORT_IN_USE: 'A port to publish is held by another program of this host.',
  NET_HOST_IP_MISSING: 'A port is to be published on an address that this host does not have.',
  NET_NO_DESCRIPTOR: 'The daemon may not open as many files and sockets as the published ports need.',
  NET_BAD_STATE: 'The wished state of the network contradicts itself or holds an address that can not be read.',
  NET_NAMESPACE: 'The network namespace of a container could not be made.',
  NET_LINK: 'A link of a container could not be made.',
  NET_DNS_ADDRESS_IN_USE: 'The name server could not take port 53 of a gateway address: another program holds it.',
  NET_NOT_PERMITTED: 'The network of containers can only be made by root.',
} as const;
