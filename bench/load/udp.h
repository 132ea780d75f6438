// A UDP socket to one peer: many packets a system call, each with the time at which the kernel had it.
#pragma once
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <string>

#include "clock.h"

namespace load {

/** Our own address on the way to another one. @throws std::system_error */
std::string addressTowards(const std::string& address);

class UdpSocket {
 public:
  /** Bound to a free port of `address`. @throws std::system_error */
  explicit UdpSocket(const std::string& address);
  ~UdpSocket();
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;

  /** Only with this peer from now on. @throws std::system_error */
  void connect(const std::string& address, uint16_t port);
  int descriptor() const { return descriptor_; }
  uint16_t port() const { return port_; }
  const sockaddr_in& peer() const { return peer_; }
  /** Packets that came and found the socket's buffer full: we were too slow. */
  uint32_t overflowed() const { return overflowed_; }

  /** What cannot be sent is lost, as on the way. */
  void send(const uint8_t* data, size_t size) const;

  static constexpr int kBatch = 32;
  /** Whole datagrams up to libwebrtc's largest, and room for what SRTP adds. */
  static constexpr size_t kLargest = 2048;

  /** Gives each packet that waits to `take(data, size, arrivedAt)`, which may change it in place. */
  template <typename Take>
  void receive(Take take) {
    for (int count = kBatch; count == kBatch;) {
      count = fill();
      const Nanoseconds offset = count > 0 ? wallClockOffset() : 0;
      for (int index = 0; index < count; index += 1)
        take(packet(index), packetSize(index), arrival(index, offset));
    }
  }

 private:
  /** Into buffers that all sockets share. @returns how many. */
  int fill();
  static uint8_t* packet(int index);
  static size_t packetSize(int index);
  Nanoseconds arrival(int index, Nanoseconds wallClockOffset);

  int descriptor_;
  uint16_t port_ = 0;
  sockaddr_in peer_{};
  uint32_t overflowed_ = 0;
};

}  // namespace load
