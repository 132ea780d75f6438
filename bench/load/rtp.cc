#include "rtp.h"

#include "bytes.h"

namespace load {

namespace {
constexpr uint32_t kStampMark = 0x4d737431;
constexpr uint16_t kOneByteProfile = 0xBEDE;
constexpr size_t kFixedHeader = 12;
}  // namespace

std::optional<RtpPacket> readRtp(const uint8_t* data, size_t size) {
  if (size < kFixedHeader || data[0] >> 6 != 2) return {};
  size_t at = kFixedHeader + 4 * (data[0] & 15);
  if (data[0] & 0x10) {
    if (at + 4 > size) return {};
    at += 4 + 4 * static_cast<size_t>(read16(data + at + 2));
  }
  size_t end = size;
  if (data[0] & 0x20) {
    const size_t padding = data[size - 1];
    if (padding == 0 || padding > size) return {};
    end -= padding;
  }
  if (at > end) return {};
  RtpHeader header;
  header.payloadType = data[1] & 127;
  header.marker = data[1] & 128;
  header.sequence = read16(data + 2);
  header.timestamp = read32(data + 4);
  header.ssrc = read32(data + 8);
  return RtpPacket{header, data + at, end - at};
}

size_t writeRtpHeader(uint8_t* at, const RtpHeader& header, const StreamNames& names) {
  at[0] = 0x80;
  at[1] = static_cast<uint8_t>(header.payloadType | (header.marker ? 128 : 0));
  write16(at + 2, header.sequence);
  write32(at + 4, header.timestamp);
  write32(at + 8, header.ssrc);
  size_t end = kFixedHeader + 4;
  const auto add = [&](uint8_t id, const std::string& value) {
    if (id == 0 || value.empty()) return;
    at[end++] = static_cast<uint8_t>(id << 4 | (value.size() - 1));
    for (const char c : value) at[end++] = static_cast<uint8_t>(c);
  };
  add(names.midId, names.mid);
  add(names.ridId, names.rid);
  if (end == kFixedHeader + 4) return kFixedHeader;
  while (end % 4 != 0) at[end++] = 0;
  at[0] |= 0x10;
  write16(at + kFixedHeader, kOneByteProfile);
  write16(at + kFixedHeader + 2, static_cast<uint32_t>((end - kFixedHeader) / 4 - 1));
  return end;
}

void writeStamp(uint8_t* at, Nanoseconds time) {
  write32(at, kStampMark);
  write64(at + 4, static_cast<uint64_t>(time));
}

std::optional<Nanoseconds> readStamp(const uint8_t* at, size_t size) {
  if (size < kStampSize || read32(at) != kStampMark) return {};
  return static_cast<Nanoseconds>(read64(at + 4));
}

}  // namespace load
