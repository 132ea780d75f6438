#include "scenario.h"

#include <algorithm>
#include <utility>

#include "random.h"

namespace load {

namespace {

/** A publisher's stream is playable within this, or not at all. */
constexpr Nanoseconds kPlayableWithin = 15 * kSecond;
constexpr double kProbeAgain = 0.1;
/** For a churning viewer, or the last of a step's, to have media: what HTTP, ICE and DTLS may take together. */
constexpr double kJoinDeadline = 60;
constexpr Nanoseconds kLookAgain = 5 * kMillisecond;
/** For all DELETEs at the end. */
constexpr double kLeaveDeadline = 10;
/** While nobody joins, packets may wait this long for others: it makes a turn of the loop serve many, and the
 * kernel has noted the time. */
constexpr Nanoseconds kGather = 2 * kMillisecond;
constexpr int kProgressEvery = 100;

Nanoseconds toNanoseconds(double seconds) { return static_cast<Nanoseconds>(seconds * kSecond); }

}  // namespace

Scenario::Scenario(const Surroundings& surroundings, Options options)
    : surroundings_(surroundings),
      options_(std::move(options)),
      timer_(surroundings.loop, [this] { std::exchange(next_, nullptr)(); }),
      churnTimer_(surroundings.loop, [this] { churn(); }),
      leaveTimer_(surroundings.loop, [this] { stopWhenAllLeft(); }) {
  if (options_.whep) audience_ = std::make_unique<Audience>(surroundings_, *options_.whep);
}

void Scenario::after(double seconds, std::function<void()> next) {
  next_ = std::move(next);
  timer_.set(now() + toNanoseconds(seconds));
}

/** An exchange that is timed must not wait for packets to gather. */
void Scenario::pace() {
  const bool exchanging = !playable_ || stopping_ || (audience_ && audience_->joining() > 0);
  surroundings_.loop.gather(exchanging ? 0 : kGather);
}

void Scenario::start() {
  if (options_.whip) {
    publish();
    return;
  }
  // Somebody else's stream: that it is playable is theirs to say.
  playable_ = true;
  nextStep();
}

void Scenario::publish() {
  publisherLeft_ = false;
  publisher_ = std::make_unique<Publisher>(
      surroundings_, *options_.whip, options_.publisher,
      Publisher::Events{[this] {
                          JsonObject()
                              .add("event", "published")
                              .add("answerMs", milliseconds(publisher_->answeredAfter()))
                              .add("connectedMs", milliseconds(now() - publisher_->postedAt()))
                              .add("suite", publisher_->suite())
                              .print();
                          if (audience_) probe();
                          else {
                            playable_ = true;
                            pace();
                            after(options_.duration, [this] { finish(); });
                          }
                        },
                        [this](int status, const std::string& why) { fail("the publisher", status, why); }});
  publisher_->begin();
}

void Scenario::probe() {
  if (probeDeadline_ == 0) probeDeadline_ = now() + kPlayableWithin;
  auto member = std::make_shared<Audience::Member*>(nullptr);
  auto playable = std::make_shared<bool>(false);
  auto refusal = std::make_shared<std::pair<int, std::string>>();
  *member =
      &audience_->join(unmeasured_, {[this, member, playable] {
                                       *playable = true;
                                       audience_->leave(**member);
                                     },
                                     [refusal](int status, const std::string& why) {
                                       *refusal = {status, why};
                                     },
                                     [this, playable, refusal] {
                                       if (stopping_) return;
                                       if (*playable) {
                                         playable_ = true;
                                         JsonObject().add("event", "playable").print();
                                         nextStep();
                                       } else if (now() < probeDeadline_) {
                                         after(kProbeAgain, [this] { probe(); });
                                       } else {
                                         fail("the stream's first viewer", refusal->first, refusal->second);
                                       }
                                     }});
  pace();
}

void Scenario::nextStep() {
  begun_ = static_cast<int>(viewers_.size());
  refused_ = 0;
  waitsForJoins_ = true;
  reportedJoins_ = viewers_.size();
  joinMore();
}

void Scenario::joinMore() {
  if (begun_ >= options_.steps[step_]) {
    // Whoever has no media by then goes on without.
    after(kJoinDeadline, [this] { beginMeasurement(); });
    return settleWhenComplete();
  }
  begun_ += 1;
  auto member = std::make_shared<Audience::Member*>(nullptr);
  *member = &audience_->join(
      meter_, {[this, member] {
                 const Viewer& viewer = (*member)->viewer();
                 JsonObject()
                     .add("event", "joined")
                     .add("answerMs", milliseconds(viewer.answeredAfter()))
                     .add("firstPacketMs", milliseconds(viewer.firstPacketAfter()))
                     .print();
                 settleWhenComplete();
               },
               [this](int status, const std::string& why) {
                 JsonObject().add("event", "ended").add("status", status).add("why", why).print();
                 if (waitsForJoins_) refused_ += 1;
                 else failedLater_ += 1;
               },
               [this, member] {
                 viewers_.erase(std::remove(viewers_.begin(), viewers_.end(), *member), viewers_.end());
                 before_.erase(*member);
                 settleWhenComplete();
               }});
  viewers_.push_back(*member);
  pace();
  after(randomWait(options_.joinEvery), [this] { joinMore(); });
}

void Scenario::settleWhenComplete() {
  pace();
  if (!waitsForJoins_ || stopping_ || begun_ < options_.steps[step_] || audience_->joining() > 0) return;
  waitsForJoins_ = false;
  after(options_.settle, [this] { beginMeasurement(); });
}

void Scenario::beginMeasurement() {
  waitsForJoins_ = false;
  failedLater_ = 0;
  before_.clear();
  for (auto* member : viewers_) {
    before_[member] = member->viewer().counts();
    member->viewer().longestSilence(0);
  }
  meter_.latency.clear();
  meter_.on = true;
  measuredFrom_ = now();
  ownCpuBefore_ = readClock(CLOCK_PROCESS_CPUTIME_ID);
  JsonObject().add("event", "measuring").add("viewers", static_cast<uint64_t>(viewers_.size())).print();
  // With churn, the last step's measurement lasts as long as the churn does.
  if (options_.churn && step_ + 1 == options_.steps.size()) return churn();
  after(options_.duration, [this] {
    JsonObject result = endMeasurement();
    JoinTimes joins;
    for (size_t index = reportedJoins_; index < viewers_.size(); index += 1)
      joins.add(viewers_[index]->viewer());
    result.add("refused", refused_).add("joins", joins.summary());
    JsonObject().add("event", "measured").add("result", result).print();
    results_.push_back(result);
    step_ += 1;
    if (step_ < options_.steps.size()) nextStep();
    else finish();
  });
}

JsonObject Scenario::endMeasurement() {
  const Nanoseconds time = now() - measuredFrom_;
  meter_.on = false;
  PacketCounts counts;
  Nanoseconds silence = 0;
  int silent = 0;
  std::string suites;
  for (auto* member : viewers_) {
    Viewer& viewer = member->viewer();
    const PacketCounts own = viewer.counts() - before_[member];
    if (own.received == 0) silent += 1;
    counts += own;
    silence = std::max(silence, viewer.longestSilence(measuredFrom_));
    if (!viewer.suite().empty() && suites.find(viewer.suite()) == std::string::npos)
      suites += (suites.empty() ? "" : ",") + viewer.suite();
  }
  JsonObject result;
  result.add("viewers", static_cast<uint64_t>(viewers_.size()))
      .add("seconds", static_cast<double>(time) / kSecond)
      .add("suites", suites)
      .add("expected", counts.expected)
      .add("received", counts.received)
      .add("lost", counts.expected - std::min(counts.expected, counts.received))
      .add("late", counts.late)
      .add("duplicates", counts.duplicates)
      .add("overflowed", counts.overflowed)
      .add("failed", failedLater_)
      .add("silent", silent)
      .add("longestSilenceMs", milliseconds(silence))
      .add("latencyMs", JsonObject()
                            .add("count", meter_.latency.count())
                            .add("p50", milliseconds(meter_.latency.percentile(0.5)))
                            .add("p99", milliseconds(meter_.latency.percentile(0.99)))
                            .add("max", milliseconds(meter_.latency.largest())))
      .add("ownCpu", static_cast<double>(readClock(CLOCK_PROCESS_CPUTIME_ID) - ownCpuBefore_) / time);
  return result;
}

void Scenario::churn() {
  if (cyclesBegun_ == options_.churn->cycles) return;
  cyclesBegun_ += 1;
  auto member = std::make_shared<Audience::Member*>(nullptr);
  auto stay = std::make_shared<Timer>(surroundings_.loop, [this, member] {
    if ((*member)->viewer().hasJoined()) churnJoins_.add((*member)->viewer());
    else {
      cyclesRefused_ += 1;
      JsonObject().add("event", "ended").add("status", 0).add("why", "no media in time").print();
    }
    audience_->leave(**member);
  });
  stay->set(now() + toNanoseconds(kJoinDeadline));
  *member = &audience_->join(
      unmeasured_, {[this, stay] {
                      stay->set(now() + toNanoseconds(randomWait(options_.churn->stay)));
                      pace();
                    },
                    [this, stay](int status, const std::string& why) {
                      stay->cancel();
                      cyclesRefused_ += 1;
                      JsonObject().add("event", "ended").add("status", status).add("why", why).print();
                    },
                    [this] {
                      cyclesOver_ += 1;
                      if (cyclesOver_ % kProgressEvery == 0)
                        JsonObject().add("event", "cycled").add("cycles", cyclesOver_).print();
                      pace();
                      if (cyclesOver_ == options_.churn->cycles && !stopping_) churned();
                    }});
  pace();
  churnTimer_.set(now() + toNanoseconds(randomWait(1 / options_.churn->rate)));
}

void Scenario::churned() {
  const JsonObject result = endMeasurement();
  JsonObject churn;
  churn.add("rate", options_.churn->rate)
      .add("cycles", cyclesOver_)
      .add("refused", cyclesRefused_)
      .add("joins", churnJoins_.summary())
      .add("steady", result);
  JsonObject().add("event", "churned").add("result", churn).print();
  results_.push_back(churn);
  finish();
}

void Scenario::finish() {
  JsonObject summary;
  summary.add("event", "summary").add("results", results_);
  if (publisher_) {
    summary.add("published", JsonObject()
                                 .add("packets", publisher_->packets())
                                 .add("keyFrames", publisher_->keyFrames())
                                 .add("askedAgain", publisher_->asked()));
  }
  summary.print();
  stop();
}

void Scenario::fail(const std::string& what, int status, const std::string& why) {
  if (stopping_) return;
  JsonObject().add("event", "failed").add("what", what).add("status", status).add("why", why).print();
  exitCode_ = 1;
  stop();
}

void Scenario::stop() {
  if (std::exchange(stopping_, true)) return;
  churnTimer_.cancel();
  pace();
  after(kLeaveDeadline, [this] {
    exitCode_ = 1;
    surroundings_.loop.stop();
  });
  if (audience_) audience_->everybodyLeaves();
  if (publisher_) publisher_->leave([this] { publisherLeft_ = true; });
  stopWhenAllLeft();
}

void Scenario::stopWhenAllLeft() {
  if ((!audience_ || audience_->isEmpty()) && publisherLeft_) return surroundings_.loop.stop();
  leaveTimer_.set(now() + kLookAgain);
}

}  // namespace load
