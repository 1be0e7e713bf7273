// The part of dns-packet that the tests use as a second opinion; the package has no types of its own.
declare module 'dns-packet' {
  export type Question = { readonly name: string; readonly type: string; readonly class?: string };
  export type Answer = { readonly name: string; readonly type: string; readonly ttl?: number; readonly class?: string; readonly data?: unknown };
  export type Packet = {
    readonly id?: number;
    readonly type?: 'query' | 'response';
    readonly flags?: number;
    readonly rcode?: string;
    readonly flag_tc?: boolean;
    readonly questions?: readonly Question[];
    readonly answers?: readonly Answer[];
    readonly additionals?: readonly (Answer | { readonly type: 'OPT'; readonly name: '.'; readonly udpPayloadSize?: number; readonly ednsVersion?: number; readonly flags?: number; readonly options?: readonly unknown[] })[];
  };
  export function encode(packet: Packet): Buffer;
  export function decode(bytes: Buffer): Packet;
  export function streamEncode(packet: Packet): Buffer;
  export function streamDecode(bytes: Buffer): Packet;
}
