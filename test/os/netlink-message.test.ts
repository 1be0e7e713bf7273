import { expect, test } from 'vitest';
import { attribute, decodeAttributeList, decodeAttributes, decodeMessages, encodeMessage, nestedAttribute, netlinkFlags, textAttribute, textOf, u32Attribute } from '../../src/os/netlink-message.ts';
import { newVeth, readLink, readRoute } from '../../src/os/netlink-route.ts';
import { fc } from '../property.ts';

const bytes = fc.uint8Array({ maxLength: 40 }).map((one) => Buffer.from(one));

test('attributes are read back as they were written, whatever their length', () => {
  fc.assert(fc.property(fc.array(fc.tuple(fc.integer({ min: 1, max: 0x3fff }), bytes), { maxLength: 8 }), (list) => {
    const encoded = Buffer.concat(list.map(([type, value]) => attribute(type, value)));
    expect(encoded.length % 4).toBe(0);
    expect(decodeAttributeList(encoded).map((one) => [one.type, one.value])).toEqual(list);
    const outer = decodeAttributes(nestedAttribute(7, list.map(([type, value]) => attribute(type, value))));
    expect(decodeAttributeList(outer.get(7) ?? Buffer.alloc(0))).toHaveLength(list.length);
  }));
});

test('messages in one datagram are read back in their order, and a cut one is left out', () => {
  fc.assert(fc.property(fc.array(bytes, { minLength: 1, maxLength: 6 }), fc.nat(15), (payloads, cut) => {
    const datagram = Buffer.concat(payloads.map((payload, i) => encodeMessage({ type: 20, flags: netlinkFlags.ack, payload }, i + 1)));
    expect(decodeMessages(datagram).map((one) => [one.sequence, one.payload])).toEqual(payloads.map((payload, i) => [i + 1, payload]));
    const last = encodeMessage({ type: 21, flags: 0, payload: Buffer.alloc(8) }, 99);
    expect(decodeMessages(Buffer.concat([datagram, last.subarray(0, cut)]))).toHaveLength(payloads.length);
  }));
});

test('any bytes are read without harm', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (raw) => {
    for (const one of decodeMessages(Buffer.from(raw))) decodeAttributes(one.payload);
    decodeAttributeList(Buffer.from(raw));
  }), { numRuns: 5000 });
});

test('a link of a dump', () => {
  const header = Buffer.alloc(16);
  header.writeInt32LE(7, 4);
  header.writeUInt32LE(1, 8);
  const payload = Buffer.concat([header, textAttribute(3, 'fl0'), u32Attribute(4, 1400), attribute(1, Buffer.of(2, 0x42, 10, 0, 0, 1)), textAttribute(20, 'a note'), nestedAttribute(18, [textAttribute(1, 'veth')])]);
  expect(readLink({ type: 16, flags: 0, sequence: 1, payload })).toEqual({ index: 7, isUp: true, name: 'fl0', mtu: 1400, mac: '02:42:0a:00:00:01', alias: 'a note', kind: 'veth' });
});

test('the default route has no target attribute, and reads as zeros', () => {
  const payload = Buffer.concat([Buffer.from([2, 0, 0, 0, 254, 4, 0, 1, 0, 0, 0, 0]), attribute(5, Buffer.of(10, 0, 0, 1)), u32Attribute(4, 3)]);
  expect(readRoute({ type: 24, flags: 0, sequence: 1, payload })).toMatchObject({ prefix: 0, target: Buffer.alloc(4), gateway: Buffer.of(10, 0, 0, 1), index: 3, kind: 'unicast', table: 254, protocol: 4 });
});

test('a pair of links names both ends in one message', () => {
  const { payload } = newVeth({ name: 'host-end', mac: Buffer.alloc(6), mtu: 1500, peer: { name: 'eth0', mac: Buffer.alloc(6), namespaceFd: 5 } });
  const outer = decodeAttributes(payload.subarray(16));
  const info = decodeAttributes(outer.get(18) ?? Buffer.alloc(0));
  const peer = decodeAttributes(decodeAttributes(info.get(2) ?? Buffer.alloc(0)).get(1)?.subarray(16) ?? Buffer.alloc(0));
  expect([textOf(outer.get(3)), textOf(info.get(1)), textOf(peer.get(3)), peer.get(28)?.readUInt32LE(0)]).toEqual(['host-end', 'veth', 'eth0', 5]);
});
