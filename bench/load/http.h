// HTTP/1.1 without TLS, as WHIP and WHEP need it: one request a connection, on the event loop.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "loop.h"

namespace load {

struct HttpUrl {
  /** For the Host field. */
  std::string authority;
  /** IPv4. */
  std::string address;
  uint16_t port;
  std::string path;
};

/** Resolves the name, too. @throws std::runtime_error that says what is wrong with it. */
HttpUrl readUrl(const std::string& url);

/** @param location absolute, or a path on the server of `base`. */
std::string resolveUrl(const std::string& base, const std::string& location);

struct HttpResponse {
  int status = 0;
  /** Names in small letters. */
  std::map<std::string, std::string> fields;
  std::string body;
};

/** @param ended whether the connection has. @returns nothing while it is not whole. @throws
 * std::runtime_error when it is no HTTP. */
std::optional<HttpResponse> readResponse(const std::string& received, bool ended);

struct HttpRequest {
  std::string method;
  std::string url;
  std::string token;
  std::string contentType;
  std::string body;
};

/** A request under way; destroying it breaks it off. */
class HttpExchange : private Loop::Watcher {
 public:
  /** Status 0 when there was no answer; then the body says why. It may destroy the exchange. */
  using Done = std::function<void(HttpResponse)>;
  /** @throws std::runtime_error when it cannot even begin. */
  HttpExchange(Loop& loop, const HttpRequest& request, Done done);
  ~HttpExchange() override;
  HttpExchange(const HttpExchange&) = delete;
  HttpExchange& operator=(const HttpExchange&) = delete;

 private:
  void ready(uint32_t events) override;
  void send();
  void receive();
  void finish(HttpResponse response);
  void fail(const std::string& why);
  void close();

  Loop& loop_;
  Done done_;
  Timer deadline_;
  int descriptor_ = -1;
  std::string outgoing_;
  std::string incoming_;
};

}  // namespace load
