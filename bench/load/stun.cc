#include "stun.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>

#include "bytes.h"

namespace load {

namespace {

constexpr uint32_t kMagicCookie = 0x2112A442;
constexpr uint32_t kFingerprintMask = 0x5354554e;
constexpr size_t kHeader = 20;
constexpr size_t kIntegrity = 20;

enum Type : uint16_t { kRequest = 0x0001, kSuccess = 0x0101, kError = 0x0111 };

enum Attribute : uint16_t {
  kUsername = 0x0006,
  kMessageIntegrity = 0x0008,
  kXorMappedAddress = 0x0020,
  kPriority = 0x0024,
  kUseCandidate = 0x0025,
  kFingerprint = 0x8028,
  kIceControlling = 0x802A,
};

/** RFC 8445 section 5.1.2.1 for a peer-reflexive candidate: type preference 110, one interface, component 1.
 */
constexpr uint32_t kPeerReflexivePriority = (110u << 24) | (65535u << 8) | 255u;

uint32_t crc32(const uint8_t* data, size_t size) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t index = 0; index < 256; index += 1) {
      uint32_t value = index;
      for (int bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xEDB88320 ^ (value >> 1) : value >> 1;
      made[index] = value;
    }
    return made;
  }();
  uint32_t value = 0xffffffff;
  for (size_t index = 0; index < size; index += 1) value = table[(value ^ data[index]) & 255] ^ (value >> 8);
  return ~value;
}

std::array<uint8_t, kIntegrity> hmac(const std::string& password, const uint8_t* data, size_t size) {
  std::array<uint8_t, kIntegrity> digest{};
  unsigned length = 0;
  HMAC(EVP_sha1(), password.data(), static_cast<int>(password.size()), data, size, digest.data(), &length);
  return digest;
}

class Message {
 public:
  Message(Type type, const TransactionId& transaction) {
    out_.u16(type);
    out_.u16(0);
    out_.u32(kMagicCookie);
    out_.append(transaction.data(), transaction.size());
  }

  void add(Attribute type, const void* value, size_t size) {
    out_.u16(type);
    out_.u16(static_cast<uint32_t>(size));
    out_.append(value, size);
    out_.pad(4);
  }

  /** The length counts what is being added, too: that is what the receiver computes (RFC 8489 section 14.5).
   */
  std::string sealed(const std::string& password) {
    lengthWith(4 + kIntegrity);
    const auto digest = hmac(password, out_.data(), out_.size());
    add(kMessageIntegrity, digest.data(), digest.size());
    lengthWith(4 + 4);
    uint8_t check[4];
    write32(check, crc32(out_.data(), out_.size()) ^ kFingerprintMask);
    add(kFingerprint, check, sizeof check);
    return std::string(reinterpret_cast<const char*>(out_.data()), out_.size());
  }

 private:
  void lengthWith(size_t more) { out_.put16(2, static_cast<uint32_t>(out_.size() - kHeader + more)); }
  Writer out_;
};

}  // namespace

std::string bindingRequest(const TransactionId& transaction, const std::string& username,
                           const std::string& password, uint64_t tieBreaker) {
  Message message(kRequest, transaction);
  message.add(kUsername, username.data(), username.size());
  uint8_t value[8];
  write32(value, kPeerReflexivePriority);
  message.add(kPriority, value, 4);
  write64(value, tieBreaker);
  message.add(kIceControlling, value, 8);
  message.add(kUseCandidate, nullptr, 0);
  return message.sealed(password);
}

std::string bindingSuccess(const TransactionId& transaction, const std::string& password,
                           const sockaddr_in& seenFrom) {
  Message message(kSuccess, transaction);
  uint8_t value[8] = {0, 1};
  write16(value + 2, ntohs(seenFrom.sin_port) ^ (kMagicCookie >> 16));
  write32(value + 4, ntohl(seenFrom.sin_addr.s_addr) ^ kMagicCookie);
  message.add(kXorMappedAddress, value, sizeof value);
  return message.sealed(password);
}

std::optional<StunMessage> readStun(const uint8_t* data, size_t size, const std::string& password) {
  if (size < kHeader || read32(data + 4) != kMagicCookie || read16(data + 2) != size - kHeader) return {};
  StunMessage message;
  switch (read16(data)) {
    case kRequest:
      message.kind = StunKind::request;
      break;
    case kSuccess:
      message.kind = StunKind::success;
      break;
    case kError:
      message.kind = StunKind::error;
      break;
    default:
      return {};
  }
  std::copy_n(data + 8, message.transaction.size(), message.transaction.begin());
  bool authentic = false;
  for (size_t at = kHeader; at + 4 <= size;) {
    const uint16_t type = read16(data + at);
    const size_t length = read16(data + at + 2);
    const uint8_t* value = data + at + 4;
    if (at + 4 + length > size) return {};
    if (type == kMessageIntegrity) {
      if (length != kIntegrity) return {};
      // Over all before it, with a length that ends with it.
      std::string covered(reinterpret_cast<const char*>(data), at);
      write16(reinterpret_cast<uint8_t*>(covered.data()) + 2,
              static_cast<uint32_t>(at - kHeader + 4 + kIntegrity));
      const auto expected = hmac(password, reinterpret_cast<const uint8_t*>(covered.data()), covered.size());
      if (CRYPTO_memcmp(expected.data(), value, kIntegrity) != 0) return {};
      authentic = true;
      // What follows is not protected, the fingerprint aside.
    } else if (type == kFingerprint) {
      if (length != 4 || read32(value) != (crc32(data, at) ^ kFingerprintMask)) return {};
    } else if (!authentic && type == kUsername) {
      message.username.assign(reinterpret_cast<const char*>(value), length);
    }
    at += 4 + (length + 3) / 4 * 4;
  }
  // An error may come from who could not check ours (RFC 8489 section 9.1.3), and is of no use.
  if (!authentic) return {};
  return message;
}

}  // namespace load
