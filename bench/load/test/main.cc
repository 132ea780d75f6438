// Runs all tests of the load generator's parts; exits with 1 where one failed.
#include <iostream>

#include "check.h"

int main() {
  testStun();
  testRtp();
  testRtcp();
  testH264();
  testReception();
  testHistogram();
  testHttp();
  testSdp();
  testSecurity();
  testOptions();
  std::cout << (failures == 0 ? "ok\n" : "failed\n");
  return failures == 0 ? 0 : 1;
}
