// The viewers of a run: those who stay, and those who join and leave.
#pragma once
#include <functional>
#include <list>
#include <memory>
#include <string>

#include "join_times.h"
#include "viewer.h"

namespace load {

class Audience {
 public:
  Audience(const Surroundings& surroundings, Endpoint endpoint)
      : surroundings_(surroundings), endpoint_(std::move(endpoint)) {}

  struct Outcome {
    std::function<void()> joined;
    /** Refused, or failed at any time. @param status of the answer to its POST. */
    std::function<void(int status, const std::string& why)> ended;
    /** Its session is over and gone. */
    std::function<void()> left;
  };
  class Member;
  /** Somebody joins, and stays until told to leave or until the session fails. @returns valid until `left`.
   */
  Member& join(Meter& meter, Outcome outcome);
  /** From its joining on, `left` follows. Idempotent. */
  void leave(Member& member);
  void everybodyLeaves();

  bool isEmpty() const { return members_.empty(); }
  /** How many wait for their first packet. */
  int joining() const { return joining_; }

  class Member {
   public:
    const Viewer& viewer() const { return *viewer_; }
    Viewer& viewer() { return *viewer_; }

   private:
    friend class Audience;
    std::unique_ptr<Viewer> viewer_;
    Outcome outcome_;
    bool waits_ = true;
    bool leaves_ = false;
    std::list<std::unique_ptr<Member>>::iterator place_;
  };

 private:
  void waitsNoMore(Member& member);

  Surroundings surroundings_;
  Endpoint endpoint_;
  std::list<std::unique_ptr<Member>> members_;
  int joining_ = 0;
};

}  // namespace load
