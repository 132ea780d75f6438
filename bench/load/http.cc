#include "http.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <system_error>

namespace load {

namespace {

/** API Gateway's own limit is 30 s: who waits for an answer longer gets none. */
constexpr Nanoseconds kDeadline = 30 * kSecond;

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

std::string trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of(" \t");
  if (first == std::string::npos) return "";
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/** @returns nothing while the last chunk is not there (RFC 9112 section 7.1). */
std::optional<std::string> readChunks(const std::string& text, size_t at) {
  std::string body;
  for (;;) {
    const size_t end = text.find("\r\n", at);
    if (end == std::string::npos) return {};
    const size_t size = std::stoul(text.substr(at, end - at), nullptr, 16);
    if (size == 0) return body;
    if (end + 2 + size + 2 > text.size()) return {};
    body += text.substr(end + 2, size);
    at = end + 2 + size + 2;
  }
}

}  // namespace

HttpUrl readUrl(const std::string& url) {
  static const std::string scheme = "http://";
  if (url.compare(0, scheme.size(), scheme) != 0)
    throw std::runtime_error(url + " does not begin with http://, the only scheme that can be used here");
  HttpUrl read;
  const size_t slash = url.find('/', scheme.size());
  read.authority = url.substr(scheme.size(), slash - scheme.size());
  read.path = slash == std::string::npos ? "/" : url.substr(slash);
  const size_t colon = read.authority.rfind(':');
  const std::string host = read.authority.substr(0, colon);
  const std::string port = colon == std::string::npos ? "80" : read.authority.substr(colon + 1);
  if (port.empty() || port.size() > 5 || port.find_first_not_of("0123456789") != std::string::npos ||
      std::stoi(port) < 1 || std::stoi(port) > 65535)
    throw std::runtime_error(url + ": " + port + " is no port, which is a number from 1 to 65535");
  addrinfo hints{};
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error = getaddrinfo(host.c_str(), port.c_str(), &hints, &found))
    throw std::runtime_error(url + ": " + gai_strerror(error));
  sockaddr_in address{};
  std::memcpy(&address, found->ai_addr, sizeof address);
  freeaddrinfo(found);
  char text[INET_ADDRSTRLEN];
  read.address = inet_ntop(AF_INET, &address.sin_addr, text, sizeof text);
  read.port = ntohs(address.sin_port);
  return read;
}

std::string resolveUrl(const std::string& base, const std::string& location) {
  if (location.empty() || location.front() != '/') return location;
  return base.substr(0, base.find('/', base.find("://") + 3)) + location;
}

std::optional<HttpResponse> readResponse(const std::string& received, bool ended) {
  const size_t head = received.find("\r\n\r\n");
  if (head == std::string::npos) {
    if (ended) throw std::runtime_error("the connection ended before an answer");
    return {};
  }
  HttpResponse response;
  if (received.compare(0, 7, "HTTP/1.") != 0 || received.size() < 12)
    throw std::runtime_error("the answer is not HTTP/1.1");
  response.status = std::atoi(received.c_str() + 9);
  for (size_t at = received.find("\r\n") + 2; at < head;) {
    const size_t end = received.find("\r\n", at);
    const size_t colon = received.find(':', at);
    if (colon < end)
      response.fields[lower(received.substr(at, colon - at))] =
          trimmed(received.substr(colon + 1, end - colon - 1));
    at = end + 2;
  }
  const size_t body = head + 4;
  if (lower(response.fields["transfer-encoding"]) == "chunked") {
    auto chunks = readChunks(received, body);
    if (!chunks) {
      if (ended) throw std::runtime_error("the answer was cut short");
      return {};
    }
    response.body = std::move(*chunks);
    return response;
  }
  const auto length = response.fields.find("content-length");
  const bool bodiless = response.status == 204 || response.status == 304;
  if (length == response.fields.end() && !bodiless) {
    if (!ended) return {};
    response.body = received.substr(body);
    return response;
  }
  const size_t size = bodiless ? 0 : std::stoul(length->second);
  if (received.size() - body < size) {
    if (ended) throw std::runtime_error("the answer was cut short");
    return {};
  }
  response.body = received.substr(body, size);
  return response;
}

HttpExchange::HttpExchange(Loop& loop, const HttpRequest& request, Done done)
    : loop_(loop), done_(std::move(done)), deadline_(loop, [this] { fail("no answer within 30 s"); }) {
  const HttpUrl url = readUrl(request.url);
  outgoing_ =
      request.method + " " + url.path + " HTTP/1.1\r\nHost: " + url.authority + "\r\nConnection: close\r\n";
  if (!request.token.empty()) outgoing_ += "Authorization: Bearer " + request.token + "\r\n";
  if (!request.contentType.empty()) outgoing_ += "Content-Type: " + request.contentType + "\r\n";
  outgoing_ += "Content-Length: " + std::to_string(request.body.size()) + "\r\n\r\n" + request.body;
  deadline_.set(now() + kDeadline);

  descriptor_ = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  sockaddr_in server{};
  server.sin_family = AF_INET;
  server.sin_port = htons(url.port);
  inet_pton(AF_INET, url.address.c_str(), &server.sin_addr);
  if (descriptor_ < 0 || (connect(descriptor_, reinterpret_cast<sockaddr*>(&server), sizeof server) != 0 &&
                          errno != EINPROGRESS)) {
    const int error = errno;
    if (descriptor_ >= 0) ::close(descriptor_);
    throw std::system_error(error, std::generic_category(), "cannot connect to " + url.authority);
  }
  loop_.watch(descriptor_, EPOLLOUT, *this);
}

HttpExchange::~HttpExchange() { close(); }

void HttpExchange::close() {
  if (descriptor_ < 0) return;
  loop_.forget(descriptor_);
  ::close(descriptor_);
  descriptor_ = -1;
}

void HttpExchange::ready(uint32_t) {
  if (descriptor_ < 0) return;
  if (!outgoing_.empty()) send();
  else receive();
}

void HttpExchange::send() {
  const ssize_t sent = ::send(descriptor_, outgoing_.data(), outgoing_.size(), MSG_NOSIGNAL);
  if (sent < 0) {
    if (errno != EAGAIN) fail(std::strerror(errno));
    return;
  }
  outgoing_.erase(0, static_cast<size_t>(sent));
  if (outgoing_.empty()) loop_.change(descriptor_, EPOLLIN, *this);
}

void HttpExchange::receive() {
  char buffer[16'384];
  bool ended = false;
  for (;;) {
    const ssize_t count = recv(descriptor_, buffer, sizeof buffer, 0);
    if (count > 0) {
      incoming_.append(buffer, static_cast<size_t>(count));
      continue;
    }
    if (count < 0 && errno != EAGAIN) return fail(std::strerror(errno));
    ended = count == 0;
    break;
  }
  std::optional<HttpResponse> response;
  try {
    response = readResponse(incoming_, ended);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  if (response) finish(std::move(*response));
}

void HttpExchange::fail(const std::string& why) {
  HttpResponse none;
  none.body = why;
  finish(std::move(none));
}

void HttpExchange::finish(HttpResponse response) {
  close();
  deadline_.cancel();
  // Last: it may destroy us.
  const Done done = std::move(done_);
  done(std::move(response));
}

}  // namespace load
