// SRTP with the suites that browsers offer, keyed by DTLS (RFC 5764, RFC 7714), on libsrtp.
#pragma once
#include <srtp2/srtp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace load {

struct SrtpSuite {
  /** The name by which users, browsers' statistics and OpenSSL's documentation mostly call it. */
  const char* name;
  const char* opensslName;
  size_t keySize;
  size_t saltSize;
  void (*policy)(srtp_crypto_policy_t*);
};

/** In libwebrtc's order of preference. */
const std::vector<SrtpSuite>& srtpSuites();

/** Those with these names, comma-separated, in that order. @throws std::invalid_argument that names a wrong
 * one. */
std::vector<SrtpSuite> srtpSuitesNamed(const std::string& names);

/** @returns nullptr when there is none. */
const SrtpSuite* srtpSuiteOfOpenSsl(const std::string& opensslName);

/** Once a process. @throws std::runtime_error */
void startSrtp();

/** One direction of a connection. */
class SrtpStream {
 public:
  enum class Direction { inbound, outbound };
  /** @param key the suite's key and then its salt. @throws std::runtime_error */
  SrtpStream(const SrtpSuite& suite, Direction direction, const std::vector<uint8_t>& key);
  ~SrtpStream();
  SrtpStream(const SrtpStream&) = delete;
  SrtpStream& operator=(const SrtpStream&) = delete;

  /** In place; `size` is updated. Where it grows, it is by at most SRTP_MAX_TRAILER_LEN. @returns whether it
   * was done. */
  bool protectRtp(uint8_t* packet, int& size);
  bool protectRtcp(uint8_t* packet, int& size);
  bool unprotectRtp(uint8_t* packet, int& size);
  bool unprotectRtcp(uint8_t* packet, int& size);

 private:
  srtp_t session_ = nullptr;
};

}  // namespace load
