// DTLS 1.2 for SRTP (RFC 5763, RFC 5764) on OpenSSL: one certificate for all, one handshake a connection.
#pragma once
#include <openssl/ssl.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "clock.h"
#include "srtp.h"

namespace load {

/** A self-signed certificate and what handshakes with it offer. */
class DtlsContext {
 public:
  /** @param suites offered in this order. @throws std::runtime_error */
  explicit DtlsContext(const std::vector<SrtpSuite>& suites);
  ~DtlsContext();
  DtlsContext(const DtlsContext&) = delete;
  DtlsContext& operator=(const DtlsContext&) = delete;

  /** As `a=fingerprint:sha-256` has it. */
  const std::string& fingerprint() const { return fingerprint_; }
  SSL_CTX* context() const { return context_; }

 private:
  SSL_CTX* context_ = nullptr;
  std::string fingerprint_;
};

struct SrtpKeys {
  SrtpSuite suite;
  /** Key and salt. */
  std::vector<uint8_t> ours;
  std::vector<uint8_t> theirs;
};

/** A handshake, which ends with SRTP keys. */
class DtlsHandshake {
 public:
  enum class Role { client, server };
  using Send = std::function<void(const uint8_t*, size_t)>;
  /** @param fingerprint SHA-256 of the peer's certificate, as its SDP said. */
  DtlsHandshake(const DtlsContext& context, Role role, std::string fingerprint, Send send);
  ~DtlsHandshake();
  DtlsHandshake(const DtlsHandshake&) = delete;
  DtlsHandshake& operator=(const DtlsHandshake&) = delete;

  /**
   * Goes on: at first, with each datagram, and when `timeout` is over.
   * @returns the keys, once, when it is done. @throws std::runtime_error when it failed.
   */
  std::optional<SrtpKeys> advance(const uint8_t* datagram = nullptr, size_t size = 0);

  /** Until flights must be sent again; nothing when nothing waits. */
  std::optional<Nanoseconds> timeout() const;

 private:
  SrtpKeys keys() const;
  static BIO_METHOD* datagramWriter();
  static int writeDatagram(BIO* bio, const char* data, int size);
  static long control(BIO* bio, int command, long number, void* pointer);

  Role role_;
  std::string fingerprint_;
  Send send_;
  SSL* ssl_ = nullptr;
  BIO* incoming_ = nullptr;
  bool done_ = false;
};

}  // namespace load
