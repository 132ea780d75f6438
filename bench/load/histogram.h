// Percentiles of many durations in little memory: buckets that grow by 1%.
#pragma once
#include <array>
#include <cstdint>

#include "clock.h"

namespace load {

class Histogram {
 public:
  /** What is below 1 µs counts as 1 µs, what is above some 8 minutes as that. */
  void add(Nanoseconds duration);
  /** @param share 0 to 1. @returns 0 when nothing was added; else right to 1%. */
  Nanoseconds percentile(double share) const;
  uint64_t count() const { return count_; }
  Nanoseconds largest() const { return largest_; }
  void clear() { *this = Histogram(); }

 private:
  static constexpr size_t kBuckets = 2000;
  std::array<uint64_t, kBuckets> buckets_{};
  uint64_t count_ = 0;
  Nanoseconds largest_ = 0;
};

}  // namespace load
