// Tests that count: a name, some checks, and a line for each check that does not hold.
#pragma once
#include <iostream>

inline int failures = 0;

/** Whether two values are equal; if not, says where. */
template <typename A, typename B>
void expectEqual(const A& actual, const B& expected, const char* what, const char* file, int line) {
  if (actual == expected) return;
  failures += 1;
  std::cerr << file << ":" << line << ": " << what << " is " << actual << ", not " << expected << "\n";
}

#define EXPECT_EQUAL(actual, expected) expectEqual(actual, expected, #actual, __FILE__, __LINE__)
#define EXPECT(condition) EXPECT_EQUAL(static_cast<bool>(condition), true)

template <typename Error, typename Call>
bool throws(Call call) {
  try {
    call();
  } catch (const Error&) {
    return true;
  }
  return false;
}

void testStun();
void testRtp();
void testRtcp();
void testH264();
void testReception();
void testHistogram();
void testHttp();
void testSdp();
void testSecurity();
void testOptions();
