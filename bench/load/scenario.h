// What a run does, in order: publish, see that the stream plays, measure each step, churn, and end every
// session.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "audience.h"
#include "options.h"
#include "publisher.h"

namespace load {

class Scenario {
 public:
  Scenario(const Surroundings& surroundings, Options options);

  void start();
  /** Ends all sessions and then the loop. Idempotent. */
  void stop();
  /** What the process should exit with. */
  int exitCode() const { return exitCode_; }

 private:
  void publish();
  void probe();
  void nextStep();
  void joinMore();
  void settleWhenComplete();
  void beginMeasurement();
  JsonObject endMeasurement();
  void churn();
  void churned();
  void finish();
  void fail(const std::string& what, int status, const std::string& why);
  void stopWhenAllLeft();
  void pace();
  void after(double seconds, std::function<void()> next);

  Surroundings surroundings_;
  Options options_;
  std::unique_ptr<Publisher> publisher_;
  bool publisherLeft_ = true;
  std::unique_ptr<Audience> audience_;
  Meter meter_;
  /** Those who come and go, and probes, are not measured. */
  Meter unmeasured_;
  Timer timer_;
  std::function<void()> next_;
  Timer churnTimer_;
  Timer leaveTimer_;

  size_t step_ = 0;
  int begun_ = 0;
  int refused_ = 0;
  int failedLater_ = 0;
  bool waitsForJoins_ = false;
  /** The steady viewers. */
  std::vector<Audience::Member*> viewers_;
  std::unordered_map<const Audience::Member*, PacketCounts> before_;
  Nanoseconds measuredFrom_ = 0;
  Nanoseconds ownCpuBefore_ = 0;
  Nanoseconds probeDeadline_ = 0;
  size_t reportedJoins_ = 0;

  int cyclesBegun_ = 0, cyclesOver_ = 0, cyclesRefused_ = 0;
  JoinTimes churnJoins_;

  std::vector<JsonObject> results_;
  bool playable_ = false;
  bool stopping_ = false;
  int exitCode_ = 0;
};

}  // namespace load
