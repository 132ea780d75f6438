// The one thread's event loop: file descriptors, timers, and work for when the present event is over.
#pragma once
#include <cstdint>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "clock.h"

namespace load {

class Loop;

/** Calls back once, at a time that can be set anew. Not set after it has called, nor once it is destroyed. */
class Timer {
 public:
  Timer(Loop& loop, std::function<void()> call) : loop_(loop), call_(std::move(call)) {}
  ~Timer() { cancel(); }
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  void set(Nanoseconds at);
  void cancel();

 private:
  friend class Loop;
  Loop& loop_;
  std::function<void()> call_;
  Nanoseconds at_ = 0;
  bool isSet_ = false;
};

class Loop {
 public:
  /** Who is told that a file descriptor can be used. */
  class Watcher {
   public:
    virtual ~Watcher() = default;
    /** @param events epoll's. */
    virtual void ready(uint32_t events) = 0;
  };

  /** @throws std::system_error */
  Loop();
  ~Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  /** @param events epoll's. Until `forget`, which must come before the descriptor is closed. */
  void watch(int descriptor, uint32_t events, Watcher& watcher);
  void change(int descriptor, uint32_t events, Watcher& watcher);
  void forget(int descriptor);

  /** For what must not happen in the middle of an event, as the destruction of whoever handles it. */
  void later(std::function<void()> call) { later_.push_back(std::move(call)); }

  /**
   * How long, at the most, events may wait for others, so that many packets cost one look. 0 for not at all:
   * while somebody measures the time that an exchange takes.
   */
  void gather(Nanoseconds time) { gather_ = time; }

  void run();
  void stop() { running_ = false; }

 private:
  friend class Timer;
  void callTimers();
  int waitTime() const;

  int epoll_;
  bool running_ = false;
  Nanoseconds gather_ = 0;
  std::set<std::pair<Nanoseconds, Timer*>> timers_;
  std::vector<std::function<void()>> later_;
};

}  // namespace load
