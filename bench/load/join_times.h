// How long joins took.
#pragma once
#include <vector>

#include "json.h"
#include "viewer.h"

namespace load {

class JoinTimes {
 public:
  /** A viewer that watched; its first key frame counts if it came. */
  void add(const Viewer& viewer);
  /** Medians, 99th percentiles (nearest rank) and largest, in ms. */
  JsonObject summary() const;

 private:
  std::vector<double> answers_, firstPackets_, firstKeyFrames_;
};

}  // namespace load
