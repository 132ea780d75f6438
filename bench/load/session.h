// A WHIP or WHEP session (RFC 9725), from its POST to its DELETE.
#pragma once
#include <functional>
#include <memory>
#include <string>

#include "connection.h"
#include "http.h"
#include "loop.h"

namespace load {

struct Endpoint {
  std::string url;
  /** None where it is empty. */
  std::string token;
};

/** What all sessions share. */
struct Surroundings {
  Loop& loop;
  const DtlsContext& dtls;
  /** Of this machine, as the server reaches it. */
  std::string address;
};

class Session : protected Connection::Listener {
 public:
  Session(const Surroundings& surroundings, Endpoint endpoint);
  virtual ~Session() = default;
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /** POSTs the offer. */
  void begin();
  /** Ends it at the server, as soon as that has answered. @param done when no request is under way any more.
   */
  void leave(std::function<void()> done);

  Nanoseconds postedAt() const { return postedAt_; }
  /** From the POST to the 201; 0 before. */
  Nanoseconds answeredAfter() const { return answeredAfter_; }
  std::string suite() const { return connection_.suite(); }

 protected:
  virtual std::string offer(const LocalDescription& local) = 0;
  virtual void answered(const Answer& answer) = 0;
  /** @param status of the answer to the POST, 0 for none; 201 where the session failed later. */
  virtual void ended(int status, const std::string& why) = 0;

  void failed(const std::string& why) final;

  Connection& connection() { return connection_; }
  const Connection& connection() const { return connection_; }
  Loop& loop() { return surroundings_.loop; }
  const std::string& cname() const { return cname_; }

 private:
  void take(const HttpResponse& response);
  void remove();

  Surroundings surroundings_;
  Endpoint endpoint_;
  Connection connection_;
  std::string cname_;
  std::unique_ptr<HttpExchange> exchange_;
  /** Its URL at the server; empty where it has none. */
  std::string location_;
  std::function<void()> left_;
  Nanoseconds postedAt_ = 0;
  Nanoseconds answeredAfter_ = 0;
};

}  // namespace load
