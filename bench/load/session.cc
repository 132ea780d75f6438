#include "session.h"

#include <stdexcept>

#include "random.h"

namespace load {

Session::Session(const Surroundings& surroundings, Endpoint endpoint)
    : surroundings_(surroundings),
      endpoint_(std::move(endpoint)),
      connection_(surroundings.loop, surroundings.dtls, surroundings.address, *this),
      cname_(randomToken(12)) {}

void Session::begin() {
  const LocalDescription local{connection_.ice(), surroundings_.dtls.fingerprint(), surroundings_.address,
                               connection_.port(), cname_};
  postedAt_ = now();
  try {
    exchange_ = std::make_unique<HttpExchange>(
        loop(), HttpRequest{"POST", endpoint_.url, endpoint_.token, "application/sdp", offer(local)},
        [this](const HttpResponse& response) { take(response); });
  } catch (const std::exception& error) {
    ended(0, error.what());
  }
}

void Session::take(const HttpResponse& response) {
  answeredAfter_ = now() - postedAt_;
  if (response.status == 201) {
    const auto location = response.fields.find("location");
    if (location != response.fields.end()) location_ = resolveUrl(endpoint_.url, location->second);
  }
  if (left_) return remove();
  if (response.status != 201) return ended(response.status, response.body.substr(0, 300));
  if (location_.empty()) return ended(201, "the answer has no Location");
  try {
    const Answer answer = readAnswer(response.body);
    answered(answer);
    connection_.start(answer, readUrl(endpoint_.url).address);
  } catch (const std::exception& error) {
    ended(201, error.what());
  }
}

void Session::leave(std::function<void()> done) {
  const bool asking = postedAt_ != 0 && answeredAfter_ == 0;
  left_ = std::move(done);
  if (!asking) remove();
}

void Session::remove() {
  // Not at once: the answer to the POST, whose exchange this would destroy, may be what brought us here.
  loop().later([this] {
    if (location_.empty()) return left_();
    try {
      exchange_ =
          std::make_unique<HttpExchange>(loop(), HttpRequest{"DELETE", location_, endpoint_.token, "", ""},
                                         [this](const HttpResponse&) { left_(); });
    } catch (const std::exception&) {
      left_();
    }
  });
}

void Session::failed(const std::string& why) {
  if (!left_) ended(201, why);
}

}  // namespace load
