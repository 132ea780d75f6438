// STUN Binding messages (RFC 8489) as ICE uses them (RFC 8445), made and read.
#pragma once
#include <netinet/in.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>

namespace load {

using TransactionId = std::array<uint8_t, 12>;

enum class StunKind { request, success, error };

struct StunMessage {
  StunKind kind;
  TransactionId transaction;
  /** Of a request: `receiver:sender`. */
  std::string username;
};

/** A connectivity check of the controlling side that nominates its pair. @param tieBreaker RFC 8445
 * section 7.1.3. */
std::string bindingRequest(const TransactionId& transaction, const std::string& username,
                           const std::string& password, uint64_t tieBreaker);

std::string bindingSuccess(const TransactionId& transaction, const std::string& password,
                           const sockaddr_in& seenFrom);

/**
 * @param password what MESSAGE-INTEGRITY must be made with.
 * @returns nothing when it is not a Binding message, is broken, or is not from who knows the password.
 */
std::optional<StunMessage> readStun(const uint8_t* data, size_t size, const std::string& password);

}  // namespace load
