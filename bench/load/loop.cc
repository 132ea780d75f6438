#include "loop.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <ctime>
#include <system_error>

namespace load {

void Timer::set(Nanoseconds at) {
  cancel();
  at_ = at;
  isSet_ = true;
  loop_.timers_.emplace(at, this);
}

void Timer::cancel() {
  if (!isSet_) return;
  loop_.timers_.erase({at_, this});
  isSet_ = false;
}

Loop::Loop() : epoll_(epoll_create1(EPOLL_CLOEXEC)) {
  if (epoll_ < 0) throw std::system_error(errno, std::generic_category(), "epoll_create1");
}

Loop::~Loop() { close(epoll_); }

void Loop::watch(int descriptor, uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_ADD, descriptor, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void Loop::change(int descriptor, uint32_t events, Watcher& watcher) {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watcher;
  if (epoll_ctl(epoll_, EPOLL_CTL_MOD, descriptor, &event) != 0)
    throw std::system_error(errno, std::generic_category(), "epoll_ctl");
}

void Loop::forget(int descriptor) { epoll_ctl(epoll_, EPOLL_CTL_DEL, descriptor, nullptr); }

int Loop::waitTime() const {
  if (!later_.empty()) return 0;
  if (timers_.empty()) return -1;
  const Nanoseconds left = timers_.begin()->first - now();
  // Rounded up: too early would be a turn for nothing.
  return static_cast<int>(std::max<Nanoseconds>(0, (left + kMillisecond - 1) / kMillisecond));
}

void Loop::callTimers() {
  const Nanoseconds time = now();
  while (!timers_.empty() && timers_.begin()->first <= time) {
    Timer* timer = timers_.begin()->second;
    timers_.erase(timers_.begin());
    timer->isSet_ = false;
    timer->call_();
  }
}

void Loop::run() {
  running_ = true;
  epoll_event events[256];
  while (running_) {
    const int count = epoll_wait(epoll_, events, std::size(events), waitTime());
    if (count < 0 && errno != EINTR) throw std::system_error(errno, std::generic_category(), "epoll_wait");
    for (int index = 0; index < count; index += 1)
      static_cast<Watcher*>(events[index].data.ptr)->ready(events[index].events);
    callTimers();
    // What is called may add more, for the next turn.
    for (const auto& call : std::exchange(later_, {})) call();
    if (gather_ > 0 && running_) {
      const timespec pause{0, static_cast<long>(gather_)};
      nanosleep(&pause, nullptr);
    }
  }
}

}  // namespace load
