// A load generator for WHIP and WHEP servers: one publisher and many viewers, on one thread.
#include <signal.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cstdio>
#include <exception>
#include <functional>
#include <system_error>
#include <utility>

#include "http.h"
#include "options.h"
#include "scenario.h"
#include "udp.h"

namespace {

/** Calls back when something can be read, after it was. */
class Reading final : public load::Loop::Watcher {
 public:
  Reading(load::Loop& loop, int descriptor, std::function<void(bool ended)> call)
      : loop_(loop), descriptor_(descriptor), call_(std::move(call)) {
    loop_.watch(descriptor_, EPOLLIN, *this);
  }
  ~Reading() override { loop_.forget(descriptor_); }

 private:
  void ready(uint32_t) override {
    char buffer[1024];
    const ssize_t count = read(descriptor_, buffer, sizeof buffer);
    if (count == 0) loop_.forget(descriptor_);
    call_(count == 0);
  }

  load::Loop& loop_;
  int descriptor_;
  std::function<void(bool ended)> call_;
};

/** SIGINT and SIGTERM as a descriptor. */
int signals() {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGINT);
  sigaddset(&set, SIGTERM);
  sigprocmask(SIG_BLOCK, &set, nullptr);
  // Whoever reads our lines is gone: the end of stdin says so, too, and then there are sessions to end.
  signal(SIGPIPE, SIG_IGN);
  const int descriptor = signalfd(-1, &set, SFD_CLOEXEC);
  if (descriptor < 0) throw std::system_error(errno, std::generic_category(), "signalfd");
  return descriptor;
}

int run(load::Options options) {
  load::startSrtp();
  load::Loop loop;
  const load::DtlsContext dtls(options.suites);
  const load::HttpUrl server = load::readUrl((options.whip ? options.whip : options.whep)->url);
  load::Scenario scenario({loop, dtls, load::addressTowards(server.address)}, std::move(options));
  const Reading signalled(loop, signals(), [&](bool) { scenario.stop(); });
  std::unique_ptr<Reading> parent;
  try {
    parent = std::make_unique<Reading>(loop, STDIN_FILENO, [&](bool ended) {
      if (ended) scenario.stop();
    });
  } catch (const std::system_error&) {
    // A file or /dev/null, which nobody waits for: no lifeline was given.
  }
  scenario.start();
  loop.run();
  return scenario.exitCode();
}

}  // namespace

int main(int count, char** arguments) {
  try {
    return run(load::readOptions({arguments + 1, arguments + count}));
  } catch (const std::invalid_argument& error) {
    std::fprintf(stderr, "load: %s\n\n%s", error.what(), load::kUsage);
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "load: %s\n", error.what());
    return 1;
  }
}
