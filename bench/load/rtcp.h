// RTCP: reports (RFC 3550 section 6), and feedback about loss (RFC 4585, RFC 5104).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "clock.h"

namespace load {

/** About one source (RFC 3550 section 6.4.1). */
struct ReportBlock {
  uint32_t ssrc = 0;
  uint8_t fractionLost = 0;
  int32_t lost = 0;
  uint32_t highestSequence = 0;
  /** In units of the source's RTP clock. */
  uint32_t jitter = 0;
  uint32_t lastSenderReport = 0;
  /** In 1/65536 seconds. */
  uint32_t delaySinceSenderReport = 0;
};

/** With a source description after it, as a compound packet must have. */
std::string receiverReport(uint32_t ssrc, const std::string& cname, const std::vector<ReportBlock>& blocks);

struct SenderInfo {
  uint32_t ssrc;
  uint32_t rtpTimestamp;
  uint32_t packets;
  uint32_t octets;
};

/** @param wallClock nanoseconds since 1970. */
std::string senderReport(const SenderInfo& info, const std::string& cname, Nanoseconds wallClock);

/** Reduced-size (RFC 5506). @param sequences in order. */
std::string genericNack(uint32_t ssrc, uint32_t media, const std::vector<uint16_t>& sequences);

std::string pictureLossIndication(uint32_t ssrc, uint32_t media);

/** What a packet says that we act on. */
struct RtcpContents {
  struct SenderReport {
    uint32_t ssrc;
    /** The middle 32 bits of its NTP time. */
    uint32_t compactNtp;
  };
  struct Nack {
    uint32_t media;
    uint16_t sequence;
  };
  std::vector<SenderReport> senderReports;
  std::vector<Nack> nacks;
  /** Sources of which a key frame is asked for, by PLI or FIR. */
  std::vector<uint32_t> keyFrameRequests;
};

/** What is broken, or of a kind that we do not know, is left out. */
RtcpContents readRtcp(const uint8_t* data, size_t size);

}  // namespace load
