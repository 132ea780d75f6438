// STUN: the sample request of RFC 5769, and our own messages read back.
#include "stun.h"

#include <arpa/inet.h>

#include "check.h"

namespace {

/** RFC 5769 section 2.1; its password and username are below. */
const unsigned char kSample[] = {
    0x00, 0x01, 0x00, 0x58, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86,
    0xfa, 0x87, 0xdf, 0xae, 0x80, 0x22, 0x00, 0x10, 0x53, 0x54, 0x55, 0x4e, 0x20, 0x74, 0x65, 0x73,
    0x74, 0x20, 0x63, 0x6c, 0x69, 0x65, 0x6e, 0x74, 0x00, 0x24, 0x00, 0x04, 0x6e, 0x00, 0x01, 0xff,
    0x80, 0x29, 0x00, 0x08, 0x93, 0x2f, 0xf9, 0xb1, 0x51, 0x26, 0x3b, 0x36, 0x00, 0x06, 0x00, 0x09,
    0x65, 0x76, 0x74, 0x6a, 0x3a, 0x68, 0x36, 0x76, 0x59, 0x20, 0x20, 0x20, 0x00, 0x08, 0x00, 0x14,
    0x9a, 0xea, 0xa7, 0x0c, 0xbf, 0xd8, 0xcb, 0x56, 0x78, 0x1e, 0xf2, 0xb5, 0xb2, 0xd3, 0xf2, 0x49,
    0xc1, 0xb5, 0x71, 0xa2, 0x80, 0x28, 0x00, 0x04, 0xe5, 0x7a, 0x3b, 0xcf};
const char kPassword[] = "VOkJxbRl1RmTxUk/WvJxBt";

std::optional<load::StunMessage> read(const std::string& message, const std::string& password) {
  return load::readStun(reinterpret_cast<const uint8_t*>(message.data()), message.size(), password);
}

}  // namespace

void testStun() {
  const auto sample = load::readStun(kSample, sizeof kSample, kPassword);
  EXPECT(sample && sample->kind == load::StunKind::request);
  if (sample) EXPECT_EQUAL(sample->username, "evtj:h6vY");
  EXPECT(!load::readStun(kSample, sizeof kSample, "another"));
  EXPECT(!load::readStun(kSample, sizeof kSample - 4, kPassword));

  const load::TransactionId transaction{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  std::string request = load::bindingRequest(transaction, "them:us", "secret", 42);
  const auto back = read(request, "secret");
  EXPECT(back && back->kind == load::StunKind::request && back->transaction == transaction);
  if (back) EXPECT_EQUAL(back->username, "them:us");
  EXPECT(!read(request, "wrong"));
  // All but the fingerprint, of which a reader may know nothing.
  for (size_t at = 0; at < request.size() - 8; at += 1) {
    request[at] ^= 1;
    EXPECT(!read(request, "secret"));
    request[at] ^= 1;
  }

  sockaddr_in from{};
  from.sin_port = htons(4711);
  inet_pton(AF_INET, "192.0.2.7", &from.sin_addr);
  const auto success = read(load::bindingSuccess(transaction, "secret", from), "secret");
  EXPECT(success && success->kind == load::StunKind::success);
}
