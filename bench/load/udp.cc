#include "udp.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

namespace load {

namespace {

/** Of a viewer of some 160 packets a second that is looked at each few ms, and of a key frame's burst. */
constexpr int kReceiveBuffer = 1 << 20;

struct Buffers {
  alignas(8) uint8_t data[UdpSocket::kBatch][UdpSocket::kLargest];
  alignas(
      cmsghdr) char control[UdpSocket::kBatch][CMSG_SPACE(sizeof(timespec)) + CMSG_SPACE(sizeof(uint32_t))];
  iovec parts[UdpSocket::kBatch];
  mmsghdr messages[UdpSocket::kBatch];
};
Buffers buffers;

std::system_error failure(const char* what) { return {errno, std::generic_category(), what}; }

}  // namespace

std::string addressTowards(const std::string& address) {
  UdpSocket socket("0.0.0.0");
  // Nothing is sent for it; any port does.
  socket.connect(address, 9);
  sockaddr_in own{};
  socklen_t size = sizeof own;
  if (getsockname(socket.descriptor(), reinterpret_cast<sockaddr*>(&own), &size) != 0)
    throw failure("getsockname");
  char text[INET_ADDRSTRLEN];
  return inet_ntop(AF_INET, &own.sin_addr, text, sizeof text);
}

UdpSocket::UdpSocket(const std::string& address)
    : descriptor_(socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
  if (descriptor_ < 0) throw failure("socket");
  const int on = 1;
  setsockopt(descriptor_, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
  setsockopt(descriptor_, SOL_SOCKET, SO_RXQ_OVFL, &on, sizeof on);
  // Past the system's limit as root; else up to it.
  if (setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    setsockopt(descriptor_, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_in own{};
  own.sin_family = AF_INET;
  inet_pton(AF_INET, address.c_str(), &own.sin_addr);
  socklen_t size = sizeof own;
  if (bind(descriptor_, reinterpret_cast<sockaddr*>(&own), sizeof own) != 0 ||
      getsockname(descriptor_, reinterpret_cast<sockaddr*>(&own), &size) != 0) {
    const auto error = failure("bind");
    close(descriptor_);
    throw error;
  }
  port_ = ntohs(own.sin_port);
}

UdpSocket::~UdpSocket() { close(descriptor_); }

void UdpSocket::connect(const std::string& address, uint16_t port) {
  peer_.sin_family = AF_INET;
  peer_.sin_port = htons(port);
  inet_pton(AF_INET, address.c_str(), &peer_.sin_addr);
  if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&peer_), sizeof peer_) != 0)
    throw failure("connect");
}

void UdpSocket::send(const uint8_t* data, size_t size) const {
  ::send(descriptor_, data, size, MSG_NOSIGNAL);
}

int UdpSocket::fill() {
  for (int index = 0; index < kBatch; index += 1) {
    buffers.parts[index] = {buffers.data[index], kLargest};
    msghdr& header = buffers.messages[index].msg_hdr;
    header = {};
    header.msg_iov = &buffers.parts[index];
    header.msg_iovlen = 1;
    header.msg_control = buffers.control[index];
    header.msg_controllen = sizeof buffers.control[index];
  }
  const int count = recvmmsg(descriptor_, buffers.messages, kBatch, 0, nullptr);
  return count < 0 ? 0 : count;
}

uint8_t* UdpSocket::packet(int index) { return buffers.data[index]; }

size_t UdpSocket::packetSize(int index) { return buffers.messages[index].msg_len; }

Nanoseconds UdpSocket::arrival(int index, Nanoseconds offset) {
  Nanoseconds at = 0;
  msghdr& header = buffers.messages[index].msg_hdr;
  for (cmsghdr* item = CMSG_FIRSTHDR(&header); item != nullptr; item = CMSG_NXTHDR(&header, item)) {
    if (item->cmsg_level != SOL_SOCKET) continue;
    if (item->cmsg_type == SO_TIMESTAMPNS) {
      timespec time{};
      std::memcpy(&time, CMSG_DATA(item), sizeof time);
      at = time.tv_sec * kSecond + time.tv_nsec - offset;
    } else if (item->cmsg_type == SO_RXQ_OVFL) {
      std::memcpy(&overflowed_, CMSG_DATA(item), sizeof overflowed_);
    }
  }
  return at == 0 ? now() : at;
}

}  // namespace load
