// RTP headers and stamps, written and read.
#include "rtp.h"

#include "check.h"

void testRtp() {
  uint8_t packet[200] = {};
  const load::RtpHeader header{111, true, 65'535, 0xfffffff0, 0xdeadbeef};
  EXPECT_EQUAL(load::writeRtpHeader(packet, header, {}), 12u);
  EXPECT_EQUAL(load::writeRtpHeader(packet, header, {4, "1", 10, "mid"}), 24u);
  load::writeStamp(packet + 24, 1'234'567'890'123);
  const auto read = load::readRtp(packet, 24 + load::kStampSize);
  EXPECT(read);
  if (read) {
    EXPECT_EQUAL(read->header.payloadType, 111);
    EXPECT_EQUAL(read->header.marker, true);
    EXPECT_EQUAL(read->header.sequence, 65'535);
    EXPECT_EQUAL(read->header.timestamp, 0xfffffff0u);
    EXPECT_EQUAL(read->header.ssrc, 0xdeadbeefu);
    EXPECT_EQUAL(load::readStamp(read->payload, read->payloadSize).value_or(0), 1'234'567'890'123);
    EXPECT(!load::readStamp(read->payload, load::kStampSize - 1));
    EXPECT(!load::readStamp(read->payload + 1, load::kStampSize - 1));
  }
  // Padding, and what is cut short.
  packet[0] |= 0x20;
  packet[24 + load::kStampSize - 1] = 5;
  const auto padded = load::readRtp(packet, 24 + load::kStampSize);
  if (padded) EXPECT_EQUAL(padded->payloadSize, load::kStampSize - 5);
  EXPECT(padded);
  EXPECT(!load::readRtp(packet, 20));
  EXPECT(!load::readRtp(packet, 8));
  const uint8_t report[] = {0x80, 201};
  EXPECT(load::isRtcp(report, sizeof report));
  EXPECT(!load::isRtcp(packet, 24));
}
