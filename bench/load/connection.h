// A peer connection: the controlling ICE agent with one pair, DTLS and SRTP over one UDP socket.
#pragma once
#include <memory>
#include <optional>
#include <string>

#include "dtls.h"
#include "loop.h"
#include "sdp.h"
#include "srtp.h"
#include "stun.h"
#include "udp.h"

namespace load {

class Connection : private Loop::Watcher {
 public:
  /** What comes of it. None of these may destroy the connection. */
  class Listener {
   public:
    virtual void connected() = 0;
    /** Decrypted, and valid during the call. @param arrivedAt when the kernel had it. */
    virtual void rtp(const uint8_t* data, size_t size, Nanoseconds arrivedAt) = 0;
    virtual void rtcp(const uint8_t* data, size_t size) = 0;
    /** The last call. */
    virtual void failed(const std::string& why) = 0;

   protected:
    ~Listener() = default;
  };

  /** @param address of ours, that the peer reaches. */
  Connection(Loop& loop, const DtlsContext& dtls, const std::string& address, Listener& listener);
  ~Connection() override;

  const IceCredentials& ice() const { return ice_; }
  uint16_t port() const { return socket_.port(); }

  /** @param preferred the address of a candidate that is taken before others. */
  void start(const Answer& answer, const std::string& preferred);

  bool isConnected() const { return keys_.has_value(); }
  /** The name of the negotiated suite; empty before. */
  std::string suite() const { return keys_ ? keys_->suite.name : ""; }
  uint32_t overflowed() const { return socket_.overflowed(); }

  /** Encrypts and sends what stands in `packet`, which must have SRTP_MAX_TRAILER_LEN bytes after `size`. */
  void sendRtp(uint8_t* packet, size_t size);
  void sendRtcp(const std::string& packet);

 private:
  void ready(uint32_t events) override;
  void takeStun(const uint8_t* data, size_t size);
  void takeRtp(uint8_t* data, size_t size, Nanoseconds arrivedAt);
  void handshake(const uint8_t* datagram = nullptr, size_t size = 0);
  void check();
  void fail(const std::string& why);

  Loop& loop_;
  const DtlsContext& dtls_;
  Listener& listener_;
  UdpSocket socket_;
  Timer checkTimer_;
  Timer dtlsTimer_;
  IceCredentials ice_;
  IceCredentials remote_;
  std::string fingerprint_;
  DtlsHandshake::Role role_ = DtlsHandshake::Role::client;
  uint64_t tieBreaker_;
  TransactionId transaction_{};
  Nanoseconds startedAt_ = 0;
  /** The last answer to a check; 0 before the first. */
  Nanoseconds consentAt_ = 0;
  bool over_ = false;
  std::unique_ptr<DtlsHandshake> handshake_;
  std::optional<SrtpKeys> keys_;
  std::unique_ptr<SrtpStream> inbound_, outbound_;
};

}  // namespace load
