// Random numbers: secret ones for credentials, and ones that space events.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace load {

/** @throws std::runtime_error when the system has no randomness. */
void fillRandom(void* at, size_t size);

uint32_t random32();

/** Letters and digits, which ICE allows in credentials (RFC 8839 section 5.4). */
std::string randomToken(size_t length);

/** From 0 up to, but not, 1. */
double randomFraction();

/** The wait for the next of events that come `1 / mean` a unit, independently of each other. */
double randomWait(double mean);

}  // namespace load
