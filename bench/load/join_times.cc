#include "join_times.h"

#include <algorithm>
#include <cmath>

namespace load {

namespace {

JsonObject summarized(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto percentile = [&](double share) {
    return values[std::max<size_t>(1, static_cast<size_t>(std::ceil(share * values.size()))) - 1];
  };
  JsonObject summary;
  summary.add("count", static_cast<uint64_t>(values.size()));
  if (!values.empty())
    summary.add("p50", percentile(0.5))
        .add("p95", percentile(0.95))
        .add("p99", percentile(0.99))
        .add("max", values.back());
  return summary;
}

}  // namespace

void JoinTimes::add(const Viewer& viewer) {
  if (!viewer.hasJoined()) return;
  answers_.push_back(milliseconds(viewer.answeredAfter()));
  firstPackets_.push_back(milliseconds(viewer.firstPacketAfter()));
  if (viewer.firstKeyFrameAfter() > 0) firstKeyFrames_.push_back(milliseconds(viewer.firstKeyFrameAfter()));
}

JsonObject JoinTimes::summary() const {
  return JsonObject()
      .add("answerMs", summarized(answers_))
      .add("firstPacketMs", summarized(firstPackets_))
      .add("firstKeyFrameMs", summarized(firstKeyFrames_));
}

}  // namespace load
