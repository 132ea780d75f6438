#include "histogram.h"

#include <algorithm>
#include <cmath>

namespace load {

namespace {
constexpr double kSmallest = 1000;
const double kGrowth = std::log(1.01);
}  // namespace

void Histogram::add(Nanoseconds duration) {
  const double steps = duration <= kSmallest ? 0 : std::log(duration / kSmallest) / kGrowth;
  buckets_[std::min(kBuckets - 1, static_cast<size_t>(steps))] += 1;
  count_ += 1;
  largest_ = std::max(largest_, duration);
}

Nanoseconds Histogram::percentile(double share) const {
  if (count_ == 0) return 0;
  const auto wanted = std::max<uint64_t>(1, static_cast<uint64_t>(std::ceil(share * count_)));
  uint64_t seen = 0;
  for (size_t bucket = 0; bucket < kBuckets; bucket += 1) {
    seen += buckets_[bucket];
    // The middle of the bucket.
    if (seen >= wanted)
      return std::min<Nanoseconds>(largest_, std::llround(kSmallest * std::exp((bucket + 0.5) * kGrowth)));
  }
  return largest_;
}

}  // namespace load
