#include "random.h"

#include <openssl/rand.h>

#include <cmath>
#include <stdexcept>

namespace load {

void fillRandom(void* at, size_t size) {
  if (RAND_bytes(static_cast<unsigned char*>(at), static_cast<int>(size)) != 1)
    throw std::runtime_error("no random bytes");
}

uint32_t random32() {
  uint32_t value = 0;
  fillRandom(&value, sizeof value);
  return value;
}

std::string randomToken(size_t length) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+/";
  std::string token(length, ' ');
  fillRandom(token.data(), length);
  for (char& c : token) c = letters[static_cast<uint8_t>(c) & 63];
  return token;
}

double randomFraction() { return random32() / 4294967296.0; }

double randomWait(double mean) { return -mean * std::log(1 - randomFraction()); }

}  // namespace load
