#include "dtls.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <sys/time.h>

#include <stdexcept>

#include "random.h"

namespace load {

namespace {

/** Bytes of a DTLS datagram: what libwebrtc takes, so that no hop must fragment. */
constexpr long kMtu = 1200;
constexpr long kDay = 86'400;

std::runtime_error failure(const std::string& what) {
  char reason[256] = "no reason given";
  if (const auto code = ERR_get_error()) ERR_error_string_n(code, reason, sizeof reason);
  ERR_clear_error();
  return std::runtime_error(what + ": " + reason);
}

std::string fingerprintOf(X509* certificate) {
  uint8_t digest[EVP_MAX_MD_SIZE];
  unsigned size = 0;
  if (!X509_digest(certificate, EVP_sha256(), digest, &size)) throw failure("no fingerprint");
  static const char digits[] = "0123456789ABCDEF";
  std::string text;
  for (unsigned index = 0; index < size; index += 1) {
    if (index > 0) text += ':';
    text += digits[digest[index] >> 4];
    text += digits[digest[index] & 15];
  }
  return text;
}

/** Any: who the peer is, its SDP's fingerprint says. */
int acceptAny(int, X509_STORE_CTX*) { return 1; }

}  // namespace

DtlsContext::DtlsContext(const std::vector<SrtpSuite>& suites) {
  context_ = SSL_CTX_new(DTLS_method());
  const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key(EVP_EC_gen("P-256"), EVP_PKEY_free);
  const std::unique_ptr<X509, decltype(&X509_free)> certificate(X509_new(), X509_free);
  if (context_ == nullptr || !key || !certificate) throw failure("no DTLS");
  X509* x509 = certificate.get();
  X509_set_version(x509, X509_VERSION_3);
  ASN1_INTEGER_set_uint64(X509_get_serialNumber(x509), random32());
  // Clocks differ.
  X509_gmtime_adj(X509_getm_notBefore(x509), -kDay);
  X509_gmtime_adj(X509_getm_notAfter(x509), 30 * kDay);
  X509_set_pubkey(x509, key.get());
  X509_NAME* name = X509_get_subject_name(x509);
  X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const uint8_t*>("load"), -1, -1, 0);
  X509_set_issuer_name(x509, name);
  if (!X509_sign(x509, key.get(), EVP_sha256())) throw failure("no certificate");
  fingerprint_ = fingerprintOf(x509);

  std::string names;
  for (const auto& suite : suites) names += (names.empty() ? "" : ":") + std::string(suite.opensslName);
  SSL_CTX_set_min_proto_version(context_, DTLS1_2_VERSION);
  SSL_CTX_set_verify(context_, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, acceptAny);
  SSL_CTX_set_options(context_, SSL_OP_NO_QUERY_MTU | SSL_OP_NO_TICKET);
  SSL_CTX_set_session_cache_mode(context_, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_read_ahead(context_, 1);
  // SSL_CTX_set_tlsext_use_srtp returns 0 for success.
  if (SSL_CTX_use_certificate(context_, x509) != 1 || SSL_CTX_use_PrivateKey(context_, key.get()) != 1 ||
      SSL_CTX_set_tlsext_use_srtp(context_, names.c_str()) != 0) {
    throw failure("OpenSSL does not take our certificate or " + names);
  }
}

DtlsContext::~DtlsContext() { SSL_CTX_free(context_); }

BIO_METHOD* DtlsHandshake::datagramWriter() {
  static BIO_METHOD* const method = [] {
    BIO_METHOD* made = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "datagram writer");
    BIO_meth_set_write(made, writeDatagram);
    BIO_meth_set_ctrl(made, control);
    return made;
  }();
  return method;
}

int DtlsHandshake::writeDatagram(BIO* bio, const char* data, int size) {
  const auto* handshake = static_cast<const DtlsHandshake*>(BIO_get_data(bio));
  handshake->send_(reinterpret_cast<const uint8_t*>(data), static_cast<size_t>(size));
  return size;
}

long DtlsHandshake::control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }

DtlsHandshake::DtlsHandshake(const DtlsContext& context, Role role, std::string fingerprint, Send send)
    : role_(role), fingerprint_(std::move(fingerprint)), send_(std::move(send)) {
  ssl_ = SSL_new(context.context());
  incoming_ = BIO_new(BIO_s_mem());
  BIO* outgoing = BIO_new(datagramWriter());
  if (ssl_ == nullptr || incoming_ == nullptr || outgoing == nullptr) throw failure("no DTLS handshake");
  // Empty is "not yet", not the end.
  BIO_set_mem_eof_return(incoming_, -1);
  BIO_set_data(outgoing, this);
  BIO_set_init(outgoing, 1);
  SSL_set_bio(ssl_, incoming_, outgoing);
  SSL_set_mtu(ssl_, kMtu);
  if (role == Role::client) SSL_set_connect_state(ssl_);
  else SSL_set_accept_state(ssl_);
}

DtlsHandshake::~DtlsHandshake() { SSL_free(ssl_); }

std::optional<SrtpKeys> DtlsHandshake::advance(const uint8_t* datagram, size_t size) {
  if (size > 0) BIO_write(incoming_, datagram, static_cast<int>(size));
  else DTLSv1_handle_timeout(ssl_);
  if (done_) {
    // The peer's last flight again, or its close: OpenSSL answers the one and notes the other.
    uint8_t nothing[1];
    SSL_read(ssl_, nothing, sizeof nothing);
    ERR_clear_error();
    return {};
  }
  const int result = SSL_do_handshake(ssl_);
  if (result == 1) {
    done_ = true;
    return keys();
  }
  const int error = SSL_get_error(ssl_, result);
  if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) return {};
  throw failure("the DTLS handshake failed");
}

SrtpKeys DtlsHandshake::keys() const {
  const std::unique_ptr<X509, decltype(&X509_free)> peer(SSL_get1_peer_certificate(ssl_), X509_free);
  if (!peer || fingerprintOf(peer.get()) != fingerprint_)
    throw std::runtime_error("the peer's certificate is not the one that its SDP names");
  const SRTP_PROTECTION_PROFILE* profile = SSL_get_selected_srtp_profile(ssl_);
  const SrtpSuite* suite = profile == nullptr ? nullptr : srtpSuiteOfOpenSsl(profile->name);
  if (suite == nullptr) throw std::runtime_error("DTLS agreed on no SRTP suite");
  // RFC 5764 section 4.2: both keys, client's first, then both salts.
  const size_t key = suite->keySize, salt = suite->saltSize;
  std::vector<uint8_t> material(2 * (key + salt));
  static const char label[] = "EXTRACTOR-dtls_srtp";
  if (SSL_export_keying_material(ssl_, material.data(), material.size(), label, sizeof label - 1, nullptr, 0,
                                 0) != 1)
    throw failure("no SRTP keys");
  const auto part = [&](size_t which) {
    const auto keyAt = material.begin() + static_cast<long>(which * key);
    const auto saltAt = material.begin() + static_cast<long>(2 * key + which * salt);
    std::vector<uint8_t> both(keyAt, keyAt + static_cast<long>(key));
    both.insert(both.end(), saltAt, saltAt + static_cast<long>(salt));
    return both;
  };
  const size_t ours = role_ == Role::client ? 0 : 1;
  return {*suite, part(ours), part(1 - ours)};
}

std::optional<Nanoseconds> DtlsHandshake::timeout() const {
  timeval left{};
  if (done_ || DTLSv1_get_timeout(ssl_, &left) != 1) return {};
  return left.tv_sec * kSecond + left.tv_usec * 1000;
}

}  // namespace load
