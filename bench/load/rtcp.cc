#include "rtcp.h"

#include <algorithm>

#include "bytes.h"

namespace load {

namespace {

enum Type : uint8_t {
  kSenderReport = 200,
  kReceiverReport = 201,
  kSdes = 202,
  kRtpFeedback = 205,
  kPayloadFeedback = 206
};
enum Feedback : uint8_t { kNack = 1, kPli = 1, kFir = 4 };
constexpr uint8_t kCname = 1;
/** From 1900 to 1970. */
constexpr uint64_t kNtpEpoch = 2'208'988'800;

/** A packet's length goes into its header when the packet is whole. */
template <typename Fill>
void packet(Writer& out, uint32_t count, Type type, Fill fill) {
  const size_t start = out.size();
  out.u8(0x80 | count);
  out.u8(type);
  out.u16(0);
  fill();
  out.pad(4);
  out.put16(start + 2, static_cast<uint32_t>((out.size() - start) / 4 - 1));
}

void sourceDescription(Writer& out, uint32_t ssrc, const std::string& cname) {
  packet(out, 1, kSdes, [&] {
    out.u32(ssrc);
    out.u8(kCname);
    out.u8(static_cast<uint32_t>(cname.size()));
    out.append(cname);
    out.u8(0);
  });
}

std::string text(const Writer& out) {
  return std::string(reinterpret_cast<const char*>(out.data()), out.size());
}

}  // namespace

std::string receiverReport(uint32_t ssrc, const std::string& cname, const std::vector<ReportBlock>& blocks) {
  Writer out;
  packet(out, static_cast<uint32_t>(blocks.size()), kReceiverReport, [&] {
    out.u32(ssrc);
    for (const auto& block : blocks) {
      out.u32(block.ssrc);
      out.u32(static_cast<uint32_t>(block.fractionLost) << 24 |
              (static_cast<uint32_t>(block.lost) & 0xffffff));
      out.u32(block.highestSequence);
      out.u32(block.jitter);
      out.u32(block.lastSenderReport);
      out.u32(block.delaySinceSenderReport);
    }
  });
  sourceDescription(out, ssrc, cname);
  return text(out);
}

std::string senderReport(const SenderInfo& info, const std::string& cname, Nanoseconds wallClock) {
  Writer out;
  packet(out, 0, kSenderReport, [&] {
    out.u32(info.ssrc);
    out.u32(static_cast<uint32_t>(static_cast<uint64_t>(wallClock / kSecond) + kNtpEpoch));
    out.u32(static_cast<uint32_t>((static_cast<uint64_t>(wallClock % kSecond) << 32) / kSecond));
    out.u32(info.rtpTimestamp);
    out.u32(info.packets);
    out.u32(info.octets);
  });
  sourceDescription(out, info.ssrc, cname);
  return text(out);
}

std::string genericNack(uint32_t ssrc, uint32_t media, const std::vector<uint16_t>& sequences) {
  Writer out;
  packet(out, kNack, kRtpFeedback, [&] {
    out.u32(ssrc);
    out.u32(media);
    for (size_t at = 0; at < sequences.size();) {
      const uint16_t first = sequences[at++];
      uint32_t following = 0;
      for (; at < sequences.size(); at += 1) {
        const auto distance = static_cast<uint16_t>(sequences[at] - first);
        if (distance > 16) break;
        if (distance > 0) following |= 1u << (distance - 1);
      }
      out.u16(first);
      out.u16(following);
    }
  });
  return text(out);
}

std::string pictureLossIndication(uint32_t ssrc, uint32_t media) {
  Writer out;
  packet(out, kPli, kPayloadFeedback, [&] {
    out.u32(ssrc);
    out.u32(media);
  });
  return text(out);
}

RtcpContents readRtcp(const uint8_t* data, size_t size) {
  RtcpContents contents;
  for (size_t at = 0; at + 8 <= size;) {
    const uint8_t* start = data + at;
    const size_t length = 4 * (static_cast<size_t>(read16(start + 2)) + 1);
    if (start[0] >> 6 != 2 || at + length > size) break;
    const uint8_t count = start[0] & 31;
    if (start[1] == kSenderReport && length >= 28) {
      contents.senderReports.push_back({read32(start + 4), read32(start + 10)});
    } else if (start[1] == kRtpFeedback && count == kNack) {
      for (size_t item = 12; item + 4 <= length; item += 4) {
        const uint32_t media = read32(start + 8);
        const uint16_t first = read16(start + item);
        contents.nacks.push_back({media, first});
        for (int bit = 0; bit < 16; bit += 1)
          if (read16(start + item + 2) >> bit & 1)
            contents.nacks.push_back({media, static_cast<uint16_t>(first + bit + 1)});
      }
    } else if (start[1] == kPayloadFeedback && count == kPli && length >= 12) {
      contents.keyFrameRequests.push_back(read32(start + 8));
    } else if (start[1] == kPayloadFeedback && count == kFir) {
      // Each entry names its source (RFC 5104 section 4.3.1); the header's media source is not used.
      for (size_t item = 12; item + 8 <= length; item += 8)
        contents.keyFrameRequests.push_back(read32(start + item));
    }
    at += length;
  }
  return contents;
}

}  // namespace load
