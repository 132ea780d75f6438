// The command line: what is wrong is refused.
#include "options.h"

#include <stdexcept>

#include "check.h"

void testOptions() {
  const auto options =
      load::readOptions({"--whep", "http://a/b", "--steps", "1,5,5", "--churn", "20", "--cycles", "9"});
  EXPECT_EQUAL(options.steps.size(), 3u);
  EXPECT(!options.whip);
  EXPECT(options.churn && options.churn->cycles == 9);
  EXPECT_EQUAL(options.suites.size(), 3u);
  const auto refused = [](std::vector<std::string> extra) {
    extra.insert(extra.begin(), {"--whip", "http://a/b"});
    return throws<std::invalid_argument>([&] { load::readOptions(extra); });
  };
  EXPECT(!refused({"--layers", "3"}));
  EXPECT(refused({"--layers", "2"}));
  EXPECT(refused({"--steps", "5,1"}));
  EXPECT(refused({"--steps", "1,x"}));
  EXPECT(refused({"--churn", "20"}));
  EXPECT(refused({"--duration", "0"}));
  EXPECT(refused({"--duration"}));
  EXPECT(refused({"--nonsense", "1"}));
  EXPECT(refused({"--suites", "none"}));
  EXPECT(throws<std::invalid_argument>([] { load::readOptions({}); }));
}
