// The one clock of all measurements.
#pragma once
#include <cstdint>
#include <ctime>

namespace load {

using Nanoseconds = int64_t;
inline constexpr Nanoseconds kMillisecond = 1'000'000;
inline constexpr Nanoseconds kSecond = 1'000'000'000;

inline Nanoseconds readClock(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return time.tv_sec * kSecond + time.tv_nsec;
}

/** Since some moment in the past; steps of the wall clock do not move it. */
inline Nanoseconds now() { return readClock(CLOCK_MONOTONIC); }

/** What to take from a kernel's packet timestamp (wall clock) to have it on our clock. */
inline Nanoseconds wallClockOffset() { return readClock(CLOCK_REALTIME) - now(); }

inline double milliseconds(Nanoseconds time) { return static_cast<double>(time) / kMillisecond; }

}  // namespace load
