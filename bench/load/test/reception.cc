// Reception: counting, asking again, giving up, reports.
#include "reception.h"

#include "check.h"

using load::kMillisecond;
using load::Reception;
using load::RtpHeader;

namespace {
RtpHeader packet(uint16_t sequence) { return {96, false, sequence, 0, 7}; }
}  // namespace

void testReception() {
  Reception from(7, 90'000);
  EXPECT_EQUAL(from.expected(), 0u);
  // Over the wrap, with two missing, one of which comes.
  for (const int sequence : {65'533, 65'534, 1, 2})
    from.arrived(packet(static_cast<uint16_t>(sequence)), kMillisecond);
  EXPECT_EQUAL(from.expected(), 6u);
  EXPECT_EQUAL(from.received(), 4u);
  const auto missing = from.toAskFor(kMillisecond);
  EXPECT_EQUAL(missing.size(), 2u);
  if (missing.size() == 2) EXPECT_EQUAL(missing[0], 65'535);
  EXPECT(from.toAskFor(2 * kMillisecond).empty());
  EXPECT(from.arrived(packet(0), 3 * kMillisecond) == Reception::Arrival::late);
  EXPECT(from.arrived(packet(0), 3 * kMillisecond) == Reception::Arrival::duplicate);
  EXPECT(from.arrived(packet(2), 3 * kMillisecond) == Reception::Arrival::duplicate);
  EXPECT_EQUAL(from.received(), 5u);
  EXPECT_EQUAL(from.late(), 1u);
  EXPECT_EQUAL(from.duplicates(), 2u);
  EXPECT_EQUAL(from.toAskFor(102 * kMillisecond).size(), 1u);

  const auto report = from.report(load::kSecond);
  EXPECT_EQUAL(report.lost, 1);
  EXPECT_EQUAL(static_cast<int>(report.fractionLost), 256 / 6);
  EXPECT_EQUAL(report.highestSequence, 0x10002u);
  EXPECT_EQUAL(static_cast<int>(from.report(load::kSecond).fractionLost), 0);

  // Ten times, and then no more.
  for (int time = 2; time < 12; time += 1) from.toAskFor(time * 101 * kMillisecond);
  EXPECT(!from.nextAsk());
  EXPECT(from.gaveUp());
  EXPECT(!from.gaveUp());

  from.senderReported(0x1234, 5 * load::kSecond);
  EXPECT_EQUAL(from.report(6 * load::kSecond).lastSenderReport, 0x1234u);
  EXPECT_EQUAL(from.report(6 * load::kSecond).delaySinceSenderReport, 65'536u);

  // A jump is a new beginning.
  from.arrived(packet(5'000), 7 * load::kSecond);
  EXPECT(from.gaveUp());
  EXPECT(!from.nextAsk());
}
