// Percentiles, right to 1%.
#include "histogram.h"

#include <cmath>

#include "check.h"

void testHistogram() {
  load::Histogram times;
  EXPECT_EQUAL(times.percentile(0.5), 0);
  for (int time = 1; time <= 1000; time += 1) times.add(time * load::kMillisecond);
  const auto near = [](load::Nanoseconds actual, double expected) {
    return std::abs(load::milliseconds(actual) / expected - 1) < 0.011;
  };
  EXPECT(near(times.percentile(0.5), 500));
  EXPECT(near(times.percentile(0.99), 990));
  EXPECT_EQUAL(times.percentile(1), 1000 * load::kMillisecond);
  EXPECT_EQUAL(times.largest(), 1000 * load::kMillisecond);
  times.clear();
  times.add(-5);
  EXPECT_EQUAL(times.count(), 1u);
}
