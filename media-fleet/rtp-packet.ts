// What is read of an RTP packet on this node: where its payload stands (RFC 3550 section 5).

/** Bytes of a header without contributing sources and extensions (RFC 3550 section 5.1). */
export const RTP_HEADER = 12;

/**
 * What a packet carries behind its header, contributing sources and extensions, without its padding (RFC 3550 sections 5.1
 * and 5.3.1); empty where the packet is cut short.
 */
export function payloadOf(packet: Buffer): Buffer {
  const first = packet[0] ?? 0;
  let from = RTP_HEADER + 4 * (first & 0x0f);
  if (first & 0x10) {
    if (packet.length < from + 4) return packet.subarray(packet.length);
    from += 4 + 4 * packet.readUInt16BE(from + 2);
  }
  const padding = first & 0x20 ? (packet.at(-1) ?? 0) : 0;
  return packet.subarray(from, Math.max(from, packet.length - padding));
}
