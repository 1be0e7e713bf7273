import { limits } from '../base/limits.ts';
import { anyLinkPrefix } from './link-names.ts';
import type { KernelNames } from './link-names.ts';

/**
 * The rules of an instance: they never change with what runs. Containers, networks and ports are elements of the sets
 * and maps (element-rules.ts), so that a change is a few elements and a packet costs the same at any number of them.
 *
 * In: the names of the instance. Out: the body of one nftables table, as `nft -f` reads it.
 */
export function buildFilterTable(names: KernelNames): string {
  return `table inet ${names.table} {
${setsText}
${chainsText(names.linkPrefix)}
}
`;
}

/** How many elements a port with several targets has. Services that would need more are refused before; what is there for a moment more, during an update, waits. */
export const targetSlots: number = limits.portTargetsMax;

export const setNames = {
  /** Which address may come from which link. */
  sources: ['sources4', 'sources6'],
  /** Subnet by subnet: who may talk to whom. */
  same: ['same4', 'same6'],
  internal: 'internal',
  /** The gateway's address, which is all that an internal link may reach of the host. */
  inner: ['inner4', 'inner6'],
  gateways: ['gateways4', 'gateways6'],
  masquerade: ['masquerade4', 'masquerade6'],
  portAt: ['port_at4', 'port_at6'],
  port: ['port4', 'port6'],
  portAtMany: ['port_at_many4', 'port_at_many6'],
  portMany: ['port_many4', 'port_many6'],
  closedAt: ['closed_at4', 'closed_at6'],
  closed: ['closed4', 'closed6'],
  /** Families whose forwarding we switched on. */
  guarded: 'guarded',
} as const;

/** Not derived from the state: what the rules looked like when they were made. */
export const factsMap = 'facts';

const setsText = `	set sources4 { type ifname . ipv4_addr; }
	set sources6 { type ifname . ipv6_addr; }
	set same4 { type ipv4_addr . ipv4_addr; flags interval; }
	set same6 { type ipv6_addr . ipv6_addr; flags interval; }
	set internal { type ifname; }
	set inner4 { type ifname . ipv4_addr; }
	set inner6 { type ifname . ipv6_addr; }
	map gateways4 { type ifname : ipv4_addr; }
	map gateways6 { type ifname : ipv6_addr; }
	set masquerade4 { type ipv4_addr; }
	set masquerade6 { type ipv6_addr; }
	map port_at4 { type ipv4_addr . inet_proto . inet_service : ipv4_addr . inet_service; }
	map port_at6 { type ipv6_addr . inet_proto . inet_service : ipv6_addr . inet_service; }
	map port4 { type inet_proto . inet_service : ipv4_addr . inet_service; }
	map port6 { type inet_proto . inet_service : ipv6_addr . inet_service; }
	map port_at_many4 { typeof ip daddr . meta l4proto . th dport . numgen random mod ${targetSlots} : ip daddr . tcp dport; }
	map port_at_many6 { typeof ip6 daddr . meta l4proto . th dport . numgen random mod ${targetSlots} : ip6 daddr . tcp dport; }
	map port_many4 { typeof meta l4proto . th dport . numgen random mod ${targetSlots} : ip daddr . tcp dport; }
	map port_many6 { typeof meta l4proto . th dport . numgen random mod ${targetSlots} : ip6 daddr . tcp dport; }
	set closed_at4 { type ipv4_addr . inet_proto . inet_service; }
	set closed_at6 { type ipv6_addr . inet_proto . inet_service; }
	set closed4 { type inet_proto . inet_service; }
	set closed6 { type inet_proto . inet_service; }
	set guarded { type nf_proto; }
	map facts { type mark : mark; }`;

function chainsText(prefix: string): string {
  const own = `"${prefix}*"`;
  const any = `"${anyLinkPrefix}*"`;
  return `
	# A container sends from its own addresses only, and never to the host's loopback: route_localnet is on for its link.
	chain spoof {
		type filter hook prerouting priority raw; policy accept;
		iifname ${own} jump spoof_own
	}
	chain spoof_own {
		ip daddr 127.0.0.0/8 drop
		iifname . ip saddr @sources4 accept
		iifname . ip6 saddr @sources6 accept
		drop
	}

	# Between links. Both ends in one subnet of ours, or a published port, or the way out; all else is refused at once.
	chain forward {
		type filter hook forward priority filter; policy accept;
		ct state established,related accept
		iifname ${own} oifname ${own} goto between
		iifname ${own} goto outward
		oifname ${own} goto inward
		meta nfproto @guarded goto guard
	}
	chain between {
		ct state invalid drop
		ip saddr . ip daddr @same4 accept
		ip6 saddr . ip6 daddr @same6 accept
		iifname @internal goto refuse
		oifname @internal goto refuse
		ct status dnat accept
		goto refuse
	}
	chain outward {
		ct state invalid drop
		iifname @internal goto refuse
		accept
	}
	# From other hosts only what came by a published port: a route to our subnets leads nowhere.
	chain inward {
		oifname @internal drop
		ct status dnat accept
		drop
	}
	# Forwarding was off on this host until we needed it: between its other links it stays off, those of virtual machines and tunnels apart.
	chain guard {
		iifname ${any} return
		oifname ${any} return
		meta iifkind { "bridge", "tun", "wireguard" } return
		meta oifkind { "bridge", "tun", "wireguard" } return
		drop
	}
	chain refuse {
		meta l4proto tcp reject with tcp reset
		reject with icmpx admin-prohibited
	}

	# To the host itself: its services answer containers as they answer anybody; an internal network reaches its gateway only.
	chain input {
		type filter hook input priority filter; policy accept;
		ct state established,related accept
		iifname @internal jump internal_input
		ip daddr . meta l4proto . th dport @closed_at4 goto closed
		ip6 daddr . meta l4proto . th dport @closed_at6 goto closed
		meta nfproto ipv4 meta l4proto . th dport @closed4 fib daddr type local goto closed
		meta nfproto ipv6 meta l4proto . th dport @closed6 fib daddr type local goto closed
	}
	chain internal_input {
		iifname . ip daddr @inner4 return
		iifname . ip6 daddr @inner6 return
		drop
	}
	chain closed {
		meta l4proto tcp reject with tcp reset
		reject with icmpx port-unreachable
	}

	# While no daemon serves names, a question gets no answer rather than a refusal: it is asked again, and the next daemon answers.
	chain output {
		type filter hook output priority filter; policy accept;
		oifname ${own} jump quiet
	}
	chain quiet {
		icmp type destination-unreachable icmp code port-unreachable @th,240,16 53 drop
		tcp sport 53 tcp flags & (rst | syn) == rst drop
	}

	# Published ports: a look-up for the first packet of a connection, the rest follows its track.
	chain prerouting {
		type nat hook prerouting priority dstnat; policy accept;
		ip daddr 127.0.0.0/8 return
		ip6 daddr ::1 return
		fib daddr type local goto ports
	}
	chain local {
		type nat hook output priority -100; policy accept;
		ip6 daddr ::1 return
		fib daddr type local goto ports
	}
	chain ports {
		dnat ip to ip daddr . meta l4proto . th dport map @port_at4
		dnat ip to meta l4proto . th dport map @port4
		dnat ip to ip daddr . meta l4proto . th dport . numgen random mod ${targetSlots} map @port_at_many4
		dnat ip to meta l4proto . th dport . numgen random mod ${targetSlots} map @port_many4
		dnat ip6 to ip6 daddr . meta l4proto . th dport map @port_at6
		dnat ip6 to meta l4proto . th dport map @port6
		dnat ip6 to ip6 daddr . meta l4proto . th dport . numgen random mod ${targetSlots} map @port_at_many6
		dnat ip6 to meta l4proto . th dport . numgen random mod ${targetSlots} map @port_many6
	}

	# The way out has the host's address. What comes from the host's loopback, or back to its own sender, has the gateway's.
	chain postrouting {
		type nat hook postrouting priority srcnat; policy accept;
		oifname ${own} goto returning
		ip saddr @masquerade4 masquerade
		ip6 saddr @masquerade6 masquerade
	}
	chain returning {
		ip saddr 127.0.0.0/8 snat ip to oifname map @gateways4
		oifname . ip saddr @sources4 snat ip to oifname map @gateways4
		oifname . ip6 saddr @sources6 snat ip6 to oifname map @gateways6
	}`;
}
