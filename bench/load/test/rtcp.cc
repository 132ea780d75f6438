// RTCP: what we send, read back.
#include "rtcp.h"

#include "bytes.h"
#include "check.h"

namespace {
load::RtcpContents read(const std::string& packet) {
  return load::readRtcp(reinterpret_cast<const uint8_t*>(packet.data()), packet.size());
}
}  // namespace

void testRtcp() {
  // The first item holds up to 16 after its own, over the wrap; the others need one each.
  const auto nack = read(load::genericNack(1, 2, {65'530, 65'531, 10, 11, 500}));
  EXPECT_EQUAL(nack.nacks.size(), 5u);
  if (nack.nacks.size() == 5) {
    EXPECT_EQUAL(nack.nacks[0].sequence, 65'530);
    EXPECT_EQUAL(nack.nacks[1].sequence, 65'531);
    EXPECT_EQUAL(nack.nacks[2].sequence, 10);
    EXPECT_EQUAL(nack.nacks[4].sequence, 500);
    EXPECT_EQUAL(nack.nacks[4].media, 2u);
  }
  EXPECT_EQUAL(load::genericNack(1, 2, {65'530, 65'531, 10, 11, 500}).size(), 12u + 3 * 4);

  const auto pli = read(load::pictureLossIndication(1, 77));
  EXPECT_EQUAL(pli.keyFrameRequests.size(), 1u);
  if (!pli.keyFrameRequests.empty()) EXPECT_EQUAL(pli.keyFrameRequests[0], 77u);
  // FIR (RFC 5104 section 4.3.1.1): the source stands in the entry.
  const std::string fir("\x84\xce\x00\x04\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x4d\x01\x00\x00\x00",
                        20);
  EXPECT_EQUAL(read(fir).keyFrameRequests.size(), 1u);

  // A sender report in a compound packet. One second and a half of 1970.
  const auto report = read(load::senderReport({5, 6, 7, 8}, "name", 1'500'000'000));
  EXPECT_EQUAL(report.senderReports.size(), 1u);
  if (!report.senderReports.empty()) {
    EXPECT_EQUAL(report.senderReports[0].ssrc, 5u);
    EXPECT_EQUAL(report.senderReports[0].compactNtp, ((2'208'988'800u + 1) << 16 | 0x8000u));
  }

  load::ReportBlock block;
  block.ssrc = 9;
  block.fractionLost = 255;
  block.lost = -1;
  const std::string receiver = load::receiverReport(1, "n", {block});
  EXPECT_EQUAL(receiver.size() % 4, 0u);
  EXPECT_EQUAL(load::read32(reinterpret_cast<const uint8_t*>(receiver.data()) + 12), 0xffffffffu);
  EXPECT(read(receiver).nacks.empty());
  EXPECT(read(std::string("\x81\xcd\x00\x09", 4)).nacks.empty());
}
