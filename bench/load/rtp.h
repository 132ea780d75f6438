// RTP headers (RFC 3550 section 5.1, extensions by RFC 8285), and the send time that our payloads carry.
#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "clock.h"

namespace load {

struct RtpHeader {
  uint8_t payloadType = 0;
  bool marker = false;
  uint16_t sequence = 0;
  uint32_t timestamp = 0;
  uint32_t ssrc = 0;
};

struct RtpPacket {
  RtpHeader header;
  const uint8_t* payload;
  size_t payloadSize;
};

/** @returns nothing when it is not RTP or ends too early. */
std::optional<RtpPacket> readRtp(const uint8_t* data, size_t size);

/** One-byte header extensions: a MID and a RID (RFC 8843, RFC 8852); an id of 0 leaves one out. */
struct StreamNames {
  uint8_t midId = 0;
  std::string mid;
  uint8_t ridId = 0;
  std::string rid;
};

/** Writes a header. @returns its size: the payload begins there. */
size_t writeRtpHeader(uint8_t* at, const RtpHeader& header, const StreamNames& names);

inline constexpr size_t kStampSize = 12;
/** Where it stands in an Opus packet: after the table of contents (RFC 6716 section 3.1). */
inline constexpr size_t kSoundStamp = 1;

/** Writes the time into a payload, with a mark before it. */
void writeStamp(uint8_t* at, Nanoseconds time);

/** @returns nothing where there is no stamp: in parameter sets, probes, another sender's media. */
std::optional<Nanoseconds> readStamp(const uint8_t* at, size_t size);

/** Whether a packet on an RTP port is RTCP (RFC 5761 section 4). */
inline bool isRtcp(const uint8_t* data, size_t size) { return size >= 2 && data[1] >= 192 && data[1] <= 223; }

}  // namespace load
