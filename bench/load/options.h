// The command line of the load generator.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "publisher.h"
#include "session.h"
#include "srtp.h"

namespace load {

struct Churn {
  /** Joins a second. */
  double rate;
  /** How many join and leave. */
  int cycles;
  /** Seconds that each watches, on average, from its first packet on. */
  double stay;
};

struct Options {
  std::optional<Endpoint> whip;
  std::optional<Endpoint> whep;
  PublisherOptions publisher;
  /** Viewers, step by step. */
  std::vector<int> steps;
  /** Seconds. */
  double duration;
  double settle;
  /** Mean seconds between two joins. */
  double joinEvery;
  std::optional<Churn> churn;
  std::vector<SrtpSuite> suites;
};

extern const char* const kUsage;

/** @throws std::invalid_argument that says which option is wrong. */
Options readOptions(const std::vector<std::string>& arguments);

}  // namespace load
