#include "options.h"

#include <map>
#include <sstream>
#include <stdexcept>

namespace load {

const char* const kUsage =
    "load [--whip URL [--token TOKEN]] [--whep URL [--whep-token TOKEN]] [options]\n"
    "  --steps N,N,...    viewers, step by step, each no fewer than the last (1)\n"
    "  --duration S       seconds that each step is measured (10)\n"
    "  --settle S         seconds from a step's last join to its measurement (2)\n"
    "  --join-every MS    mean time between two joins; they are spaced at random (20)\n"
    "  --churn RATE       after the last step: joins a second beside its viewers; needs --cycles\n"
    "  --cycles N         how many join and leave\n"
    "  --stay MS          mean time that each of those watches (500)\n"
    "  --layers 1|3       simulcast layers that are published (1)\n"
    "  --kbps N           of the largest layer (1000)\n"
    "  --fps N            pictures a second (30)\n"
    "  --suites A,B,...   SRTP suites to offer: AEAD_AES_256_GCM, AEAD_AES_128_GCM, AES_CM_128_HMAC_SHA1_80 "
    "(all)\n"
    "Without --whip the stream at --whep must be one that another load generator on this machine publishes.\n"
    "It prints one JSON object a line. The end of stdin, SIGINT or SIGTERM makes it end its sessions and "
    "exit.\n";

namespace {

double number(const std::string& option, const std::string& text, double least, double most) {
  size_t used = 0;
  double value = 0;
  try {
    value = std::stod(text, &used);
  } catch (const std::exception&) {
  }
  if (used != text.size() || text.empty() || !(value >= least && value <= most)) {
    std::ostringstream why;
    why << option << " " << text << ": a number from " << least << " to " << most;
    throw std::invalid_argument(why.str());
  }
  return value;
}

int wholeNumber(const std::string& option, const std::string& text, int least, int most) {
  const double value = number(option, text, least, most);
  if (value != static_cast<int>(value)) throw std::invalid_argument(option + " " + text + ": a whole number");
  return static_cast<int>(value);
}

std::vector<int> readSteps(const std::string& text) {
  std::vector<int> steps;
  std::istringstream list(text);
  for (std::string item; std::getline(list, item, ',');) {
    steps.push_back(wholeNumber("--steps", item, 0, 100'000));
    if (steps.size() > 1 && steps.back() < steps[steps.size() - 2])
      throw std::invalid_argument("--steps " + text + ": each no fewer than the last");
  }
  if (steps.empty()) throw std::invalid_argument("--steps: at least one number");
  return steps;
}

/** Sizes and shares of the bit rate: about those of libwebrtc's table for 1280 × 720. */
std::vector<Layer> layers(int count, int kbps) {
  const Layer high{"h", 1280, 720, kbps};
  if (count == 1) return {high};
  return {{"l", 320, 180, kbps / 10}, {"m", 640, 360, kbps / 3}, high};
}

}  // namespace

Options readOptions(const std::vector<std::string>& arguments) {
  std::map<std::string, std::string> given = {
      {"--whip", ""},
      {"--token", ""},
      {"--whep", ""},
      {"--whep-token", ""},
      {"--steps", "1"},
      {"--duration", "10"},
      {"--settle", "2"},
      {"--join-every", "20"},
      {"--churn", ""},
      {"--cycles", ""},
      {"--stay", "500"},
      {"--layers", "1"},
      {"--kbps", "1000"},
      {"--fps", "30"},
      {"--suites", "AEAD_AES_256_GCM,AEAD_AES_128_GCM,AES_CM_128_HMAC_SHA1_80"},
  };
  for (size_t at = 0; at < arguments.size(); at += 2) {
    const auto option = given.find(arguments[at]);
    if (option == given.end()) throw std::invalid_argument("unknown option " + arguments[at]);
    if (at + 1 == arguments.size()) throw std::invalid_argument(arguments[at] + " needs a value");
    option->second = arguments[at + 1];
  }
  const auto endpoint = [&](const char* url, const char* token) {
    if (given[url].empty()) return std::optional<Endpoint>();
    return std::optional<Endpoint>({given[url], given[token]});
  };
  Options options;
  options.whip = endpoint("--whip", "--token");
  options.whep = endpoint("--whep", "--whep-token");
  if (!options.whip && !options.whep) throw std::invalid_argument("neither --whip nor --whep is given");
  const int layerCount = wholeNumber("--layers", given["--layers"], 1, 3);
  if (layerCount == 2) throw std::invalid_argument("--layers 2: 1 or 3");
  options.publisher = {layers(layerCount, wholeNumber("--kbps", given["--kbps"], 50, 50'000)),
                       wholeNumber("--fps", given["--fps"], 1, 120)};
  options.steps = readSteps(given["--steps"]);
  options.duration = number("--duration", given["--duration"], 0.1, 86'400);
  options.settle = number("--settle", given["--settle"], 0, 3'600);
  options.joinEvery = number("--join-every", given["--join-every"], 0, 60'000) / 1000;
  if (given["--churn"].empty() != given["--cycles"].empty())
    throw std::invalid_argument("--churn and --cycles belong together");
  if (!given["--churn"].empty()) {
    options.churn = Churn{number("--churn", given["--churn"], 0.1, 10'000),
                          wholeNumber("--cycles", given["--cycles"], 1, 100'000'000),
                          number("--stay", given["--stay"], 0, 3'600'000) / 1000};
  }
  options.suites = srtpSuitesNamed(given["--suites"]);
  return options;
}

}  // namespace load
