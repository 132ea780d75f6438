#include "connection.h"

#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "random.h"
#include "rtp.h"

namespace load {

namespace {

/** RFC 8445 section 14: the pace of checks. */
constexpr Nanoseconds kCheckPace = 50 * kMillisecond;
/**
 * Between two checks of a pair that works: libwebrtc's. RFC 7675 section 5.1 has 5 s, give or take a fifth;
 * with that, a server whose patience is 10 s ends sessions for one lost check.
 */
constexpr double kConsentPace = 2.5 * kSecond;
/** RFC 7675 section 5.1. */
constexpr Nanoseconds kConsentExpiry = 30 * kSecond;
/** From the answer to the first successful check. */
constexpr Nanoseconds kIceDeadline = 10 * kSecond;
constexpr Nanoseconds kDtlsDeadline = 15 * kSecond;

}  // namespace

Connection::Connection(Loop& loop, const DtlsContext& dtls, const std::string& address, Listener& listener)
    : loop_(loop),
      dtls_(dtls),
      listener_(listener),
      socket_(address),
      checkTimer_(loop, [this] { check(); }),
      dtlsTimer_(loop, [this] { handshake(); }),
      // RFC 8839 section 5.4 asks for 4 and 22 at least.
      ice_{randomToken(8), randomToken(24)} {
  fillRandom(&tieBreaker_, sizeof tieBreaker_);
}

Connection::~Connection() { loop_.forget(socket_.descriptor()); }

void Connection::start(const Answer& answer, const std::string& preferred) {
  remote_ = answer.ice;
  fingerprint_ = answer.fingerprint;
  role_ = answer.setupActive ? DtlsHandshake::Role::server : DtlsHandshake::Role::client;
  const auto sameHost = std::find_if(answer.candidates.begin(), answer.candidates.end(),
                                     [&](const auto& candidate) { return candidate.address == preferred; });
  const auto& candidate = sameHost == answer.candidates.end() ? answer.candidates.front() : *sameHost;
  socket_.connect(candidate.address, candidate.port);
  loop_.watch(socket_.descriptor(), EPOLLIN, *this);
  startedAt_ = now();
  fillRandom(transaction_.data(), transaction_.size());
  check();
}

void Connection::check() {
  const Nanoseconds time = now();
  if (consentAt_ == 0 && time - startedAt_ > kIceDeadline) return fail("no answer to ICE checks within 10 s");
  if (!keys_ && time - startedAt_ > kDtlsDeadline) return fail("no DTLS within 15 s");
  if (consentAt_ != 0 && time - consentAt_ > kConsentExpiry) return fail("ICE consent expired after 30 s");
  if (consentAt_ != 0) fillRandom(transaction_.data(), transaction_.size());
  const std::string username = remote_.usernameFragment + ":" + ice_.usernameFragment;
  const std::string request = bindingRequest(transaction_, username, remote_.password, tieBreaker_);
  socket_.send(reinterpret_cast<const uint8_t*>(request.data()), request.size());
  checkTimer_.set(time + (consentAt_ == 0
                              ? kCheckPace
                              : static_cast<Nanoseconds>(kConsentPace * (0.8 + 0.4 * randomFraction()))));
}

void Connection::ready(uint32_t) {
  socket_.receive([this](uint8_t* data, size_t size, Nanoseconds arrivedAt) {
    if (size == 0 || over_) return;
    // RFC 7983: what a packet is, by its first byte.
    if (data[0] <= 3) takeStun(data, size);
    else if (data[0] >= 20 && data[0] <= 63) handshake(data, size);
    else if (data[0] >= 128 && data[0] <= 191) takeRtp(data, size, arrivedAt);
  });
}

void Connection::takeStun(const uint8_t* data, size_t size) {
  // A request is made with our password, an answer with theirs.
  if (const auto request = readStun(data, size, ice_.password);
      request && request->kind == StunKind::request) {
    const std::string response = bindingSuccess(request->transaction, ice_.password, socket_.peer());
    socket_.send(reinterpret_cast<const uint8_t*>(response.data()), response.size());
    return;
  }
  const auto response = readStun(data, size, remote_.password);
  if (!response || response->kind != StunKind::success || response->transaction != transaction_) return;
  const bool first = consentAt_ == 0;
  consentAt_ = now();
  if (!first) return;
  checkTimer_.set(consentAt_ + static_cast<Nanoseconds>(kConsentPace * (0.8 + 0.4 * randomFraction())));
  if (!handshake_) handshake();
}

void Connection::handshake(const uint8_t* datagram, size_t size) {
  try {
    if (!handshake_) {
      handshake_ = std::make_unique<DtlsHandshake>(
          dtls_, role_, fingerprint_,
          [this](const uint8_t* data, size_t length) { socket_.send(data, length); });
    }
    auto keys = handshake_->advance(datagram, size);
    if (const auto wait = handshake_->timeout()) dtlsTimer_.set(now() + *wait);
    else dtlsTimer_.cancel();
    if (!keys) return;
    inbound_ = std::make_unique<SrtpStream>(keys->suite, SrtpStream::Direction::inbound, keys->theirs);
    outbound_ = std::make_unique<SrtpStream>(keys->suite, SrtpStream::Direction::outbound, keys->ours);
    keys_ = std::move(keys);
  } catch (const std::exception& error) {
    return fail(error.what());
  }
  listener_.connected();
}

void Connection::takeRtp(uint8_t* data, size_t size, Nanoseconds arrivedAt) {
  if (!inbound_) return;
  int length = static_cast<int>(size);
  if (isRtcp(data, size)) {
    if (inbound_->unprotectRtcp(data, length)) listener_.rtcp(data, static_cast<size_t>(length));
  } else if (inbound_->unprotectRtp(data, length)) {
    listener_.rtp(data, static_cast<size_t>(length), arrivedAt);
  }
}

void Connection::sendRtp(uint8_t* packet, size_t size) {
  int length = static_cast<int>(size);
  if (outbound_ && outbound_->protectRtp(packet, length)) socket_.send(packet, static_cast<size_t>(length));
}

void Connection::sendRtcp(const std::string& packet) {
  if (!outbound_) return;
  alignas(8) uint8_t buffer[UdpSocket::kLargest];
  if (packet.size() + SRTP_MAX_TRAILER_LEN + 4 > sizeof buffer) return;
  std::memcpy(buffer, packet.data(), packet.size());
  int length = static_cast<int>(packet.size());
  if (outbound_->protectRtcp(buffer, length)) socket_.send(buffer, static_cast<size_t>(length));
}

void Connection::fail(const std::string& why) {
  if (over_) return;
  over_ = true;
  checkTimer_.cancel();
  dtlsTimer_.cancel();
  listener_.failed(why);
}

}  // namespace load
