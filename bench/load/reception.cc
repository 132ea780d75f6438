#include "reception.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace load {

namespace {
/** Between two requests for a packet, and how many: libwebrtc's NACK module starts with a round trip of 100
 * ms and asks ten times. */
constexpr Nanoseconds kAskAgain = 100 * kMillisecond;
constexpr int kAskAtMost = 10;
/** A larger gap is a new beginning, which a key frame mends and not retransmission. */
constexpr uint64_t kLargestGap = 1000;
}  // namespace

uint64_t Reception::extended(uint16_t sequence) const {
  const auto distance = static_cast<int16_t>(sequence - static_cast<uint16_t>(highest_));
  return highest_ + static_cast<uint64_t>(static_cast<int64_t>(distance));
}

Reception::Arrival Reception::arrived(const RtpHeader& header, Nanoseconds at) {
  if (!started_) {
    started_ = true;
    // One round up, so that packets from before the first have a number, too.
    first_ = highest_ = header.sequence + 0x10000ull;
    seen_.set(highest_ % kHistory);
    received_ = 1;
    lastTransit_ = static_cast<double>(at) * clockRate_ / kSecond - header.timestamp;
    return Arrival::next;
  }
  const uint64_t sequence = extended(header.sequence);
  if (sequence > highest_) {
    for (uint64_t between = highest_ + 1; between <= sequence; between += 1) seen_.reset(between % kHistory);
    const bool askable = sequence - highest_ <= kLargestGap;
    if (!askable) gaveUp_ = true;
    for (uint64_t between = highest_ + 1; askable && between < sequence; between += 1)
      missing_.emplace(between, Missing{at, 0});
    highest_ = sequence;
    seen_.set(sequence % kHistory);
    received_ += 1;
    // RFC 3550 section 6.4.1.
    const double transit = static_cast<double>(at) * clockRate_ / kSecond - header.timestamp;
    // Timestamps wrap: such a step is no jitter.
    if (std::abs(transit - lastTransit_) < clockRate_)
      jitter_ += (std::abs(transit - lastTransit_) - jitter_) / 16;
    lastTransit_ = transit;
    return Arrival::next;
  }
  if (sequence < first_ || highest_ - sequence >= kHistory || seen_.test(sequence % kHistory)) {
    duplicates_ += 1;
    return Arrival::duplicate;
  }
  seen_.set(sequence % kHistory);
  missing_.erase(sequence);
  received_ += 1;
  late_ += 1;
  return Arrival::late;
}

std::vector<uint16_t> Reception::toAskFor(Nanoseconds at) {
  std::vector<uint16_t> sequences;
  for (auto entry = missing_.begin(); entry != missing_.end();) {
    auto& [sequence, state] = *entry;
    if (state.askAt > at) {
      ++entry;
    } else if (state.asked == kAskAtMost) {
      gaveUp_ = true;
      entry = missing_.erase(entry);
    } else {
      sequences.push_back(static_cast<uint16_t>(sequence));
      state.askAt = at + kAskAgain;
      state.asked += 1;
      ++entry;
    }
  }
  return sequences;
}

std::optional<Nanoseconds> Reception::nextAsk() const {
  if (missing_.empty()) return {};
  return std::min_element(missing_.begin(), missing_.end(),
                          [](const auto& a, const auto& b) { return a.second.askAt < b.second.askAt; })
      ->second.askAt;
}

bool Reception::gaveUp() { return std::exchange(gaveUp_, false); }

void Reception::senderReported(uint32_t compactNtp, Nanoseconds at) {
  lastSenderReport_ = compactNtp;
  senderReportAt_ = at;
}

ReportBlock Reception::report(Nanoseconds at) {
  ReportBlock block;
  block.ssrc = ssrc_;
  const auto expectedNow = expected() - reportedExpected_;
  const auto receivedNow = received_ - reportedReceived_;
  if (expectedNow > receivedNow)
    block.fractionLost =
        static_cast<uint8_t>(std::min<uint64_t>(255, 256 * (expectedNow - receivedNow) / expectedNow));
  reportedExpected_ = expected();
  reportedReceived_ = received_;
  block.lost =
      static_cast<int32_t>(std::min<uint64_t>(0x7fffff, expected() - std::min(expected(), received_)));
  // The first round up is not the source's.
  block.highestSequence = static_cast<uint32_t>(highest_ - 0x10000);
  block.jitter = static_cast<uint32_t>(jitter_);
  if (senderReportAt_ != 0) {
    block.lastSenderReport = lastSenderReport_;
    block.delaySinceSenderReport = static_cast<uint32_t>((at - senderReportAt_) * 65'536 / kSecond);
  }
  return block;
}

}  // namespace load
