// What arrives of one RTP source: what is missing of it, what to ask for again, and its receiver reports.
#pragma once
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <vector>

#include "clock.h"
#include "rtcp.h"
#include "rtp.h"

namespace load {

class Reception {
 public:
  /** @param clockRate of its timestamps, in Hz. */
  Reception(uint32_t ssrc, uint32_t clockRate) : ssrc_(ssrc), clockRate_(clockRate) {}

  enum class Arrival { next, late, duplicate };
  /** Takes in a packet's header. */
  Arrival arrived(const RtpHeader& header, Nanoseconds at);

  /** Those that are missing and whose time to be asked for (again) has come. */
  std::vector<uint16_t> toAskFor(Nanoseconds at);
  /** When the next packet is to be asked for; nothing when none is. */
  std::optional<Nanoseconds> nextAsk() const;
  /** Whether packets were given up since the last call. */
  bool gaveUp();

  /** Since the beginning. */
  uint64_t expected() const { return started_ ? highest_ - first_ + 1 : 0; }
  uint64_t received() const { return received_; }
  /** Of `received`, those that came after a later one: by reordering or again on request. */
  uint64_t late() const { return late_; }
  uint64_t duplicates() const { return duplicates_; }
  uint32_t ssrc() const { return ssrc_; }

  void senderReported(uint32_t compactNtp, Nanoseconds at);
  /** For a receiver report; what it says of loss is since the last one. */
  ReportBlock report(Nanoseconds at);

 private:
  struct Missing {
    Nanoseconds askAt;
    int asked;
  };
  uint64_t extended(uint16_t sequence) const;

  uint32_t ssrc_;
  uint32_t clockRate_;
  bool started_ = false;
  /** Sequence numbers that do not wrap. */
  uint64_t first_ = 0, highest_ = 0;
  uint64_t received_ = 0, late_ = 0, duplicates_ = 0;
  static constexpr size_t kHistory = 1024;
  std::bitset<kHistory> seen_;
  std::map<uint64_t, Missing> missing_;
  bool gaveUp_ = false;
  double jitter_ = 0;
  double lastTransit_ = 0;
  uint32_t lastSenderReport_ = 0;
  Nanoseconds senderReportAt_ = 0;
  uint64_t reportedExpected_ = 0, reportedReceived_ = 0;
};

}  // namespace load
