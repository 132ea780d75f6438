// SDP: what we read of an answer, and what our offers have.
#include "sdp.h"

#include <stdexcept>

#include "check.h"

namespace {
const std::string kAnswer =
    "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\na=fingerprint:sha-256 aa:BB\r\n"
    "m=audio 9 UDP/TLS/RTP/SAVPF "
    "111\r\na=mid:0\r\na=sendonly\r\na=ice-ufrag:uf\r\na=ice-pwd:pw\r\na=setup:passive\r\n"
    "a=candidate:1 1 udp 2130706431 fe80::1 7000 typ host\r\na=candidate:2 1 tcp 1 127.0.0.1 7000 typ host "
    "tcptype passive\r\n"
    "a=candidate:3 1 UDP 2130706431 127.0.0.1 7001 typ host\r\n"
    "m=video 9 UDP/TLS/RTP/SAVPF 109\r\na=mid:1\r\na=inactive\r\na=rtcp-fb:109 nack\r\na=rtcp-fb:109 nack "
    "pli\r\n";
}  // namespace

void testSdp() {
  const auto answer = load::readAnswer(kAnswer);
  EXPECT_EQUAL(answer.ice.usernameFragment, "uf");
  EXPECT_EQUAL(answer.fingerprint, "AA:BB");
  EXPECT(!answer.setupActive);
  EXPECT_EQUAL(answer.candidates.size(), 1u);
  if (!answer.candidates.empty()) EXPECT_EQUAL(answer.candidates[0].port, 7001);
  EXPECT_EQUAL(answer.sections.size(), 2u);
  if (answer.sections.size() == 2) {
    EXPECT(answer.sections[0].active && !answer.sections[0].nack);
    EXPECT(!answer.sections[1].active && answer.sections[1].nack);
    EXPECT_EQUAL(answer.sections[1].payloadType, 109);
  }
  EXPECT(throws<std::runtime_error>([] { load::readAnswer("v=0\r\n"); }));
  EXPECT(
      throws<std::runtime_error>([] { load::readAnswer(kAnswer.substr(0, kAnswer.find("a=candidate:3"))); }));

  const load::LocalDescription local{{"u", "p"}, "AA", "127.0.0.1", 5, "name"};
  const auto has = [](const std::string& text, const char* part) {
    return text.find(part) != std::string::npos;
  };
  const std::string single = load::publisherOffer(local, {3, {{"h", 4}}});
  EXPECT(has(single, "a=ssrc:3 cname:name") && has(single, "a=ssrc:4 cname:name") &&
         !has(single, "a=simulcast"));
  const std::string layered = load::publisherOffer(local, {3, {{"l", 4}, {"h", 5}}});
  EXPECT(has(layered, "a=simulcast:send l;h") && has(layered, "a=rid:l send") && !has(layered, "a=ssrc:4"));
  EXPECT(has(load::viewerOffer(local), "a=recvonly"));
}
