#include "srtp.h"

#include <sstream>
#include <stdexcept>

namespace load {

namespace {
/** Packets: a retransmission may come this late, and so may one of ours go out. */
constexpr unsigned long kReplayWindow = 1024;
}  // namespace

const std::vector<SrtpSuite>& srtpSuites() {
  static const std::vector<SrtpSuite> suites = {
      {"AEAD_AES_256_GCM", "SRTP_AEAD_AES_256_GCM", 32, 12, srtp_crypto_policy_set_aes_gcm_256_16_auth},
      {"AEAD_AES_128_GCM", "SRTP_AEAD_AES_128_GCM", 16, 12, srtp_crypto_policy_set_aes_gcm_128_16_auth},
      {"AES_CM_128_HMAC_SHA1_80", "SRTP_AES128_CM_SHA1_80", 16, 14, srtp_crypto_policy_set_rtp_default},
  };
  return suites;
}

std::vector<SrtpSuite> srtpSuitesNamed(const std::string& names) {
  std::vector<SrtpSuite> found;
  std::istringstream list(names);
  for (std::string name; std::getline(list, name, ',');) {
    const SrtpSuite* match = nullptr;
    for (const auto& suite : srtpSuites())
      if (suite.name == name) match = &suite;
    if (match == nullptr) throw std::invalid_argument("unknown SRTP suite " + name);
    found.push_back(*match);
  }
  if (found.empty()) throw std::invalid_argument("no SRTP suite");
  return found;
}

const SrtpSuite* srtpSuiteOfOpenSsl(const std::string& opensslName) {
  for (const auto& suite : srtpSuites())
    if (suite.opensslName == opensslName) return &suite;
  return nullptr;
}

void startSrtp() {
  if (srtp_init() != srtp_err_status_ok) throw std::runtime_error("libsrtp does not start");
}

SrtpStream::SrtpStream(const SrtpSuite& suite, Direction direction, const std::vector<uint8_t>& key) {
  if (key.size() != suite.keySize + suite.saltSize) throw std::runtime_error("an SRTP key of a wrong size");
  srtp_policy_t policy{};
  suite.policy(&policy.rtp);
  suite.policy(&policy.rtcp);
  policy.ssrc.type = direction == Direction::inbound ? ssrc_any_inbound : ssrc_any_outbound;
  policy.key = const_cast<uint8_t*>(key.data());
  policy.window_size = kReplayWindow;
  // A packet that is asked for again is sent again as it was.
  policy.allow_repeat_tx = 1;
  if (srtp_create(&session_, &policy) != srtp_err_status_ok)
    throw std::runtime_error(std::string("libsrtp cannot do ") + suite.name);
}

SrtpStream::~SrtpStream() { srtp_dealloc(session_); }

bool SrtpStream::protectRtp(uint8_t* packet, int& size) {
  return srtp_protect(session_, packet, &size) == srtp_err_status_ok;
}
bool SrtpStream::protectRtcp(uint8_t* packet, int& size) {
  return srtp_protect_rtcp(session_, packet, &size) == srtp_err_status_ok;
}
bool SrtpStream::unprotectRtp(uint8_t* packet, int& size) {
  return srtp_unprotect(session_, packet, &size) == srtp_err_status_ok;
}
bool SrtpStream::unprotectRtcp(uint8_t* packet, int& size) {
  return srtp_unprotect_rtcp(session_, packet, &size) == srtp_err_status_ok;
}

}  // namespace load
