// DTLS and SRTP: two ends of ours, without a network, with each suite.
#include <deque>
#include <stdexcept>

#include "check.h"
#include "dtls.h"
#include "srtp.h"

namespace {

using Flight = std::deque<std::vector<uint8_t>>;

struct Ends {
  load::SrtpKeys client, server;
};

Ends shakeHands(const load::DtlsContext& client, const load::DtlsContext& server,
                const std::string& claimed) {
  Flight toClient, toServer;
  const auto into = [](Flight& flight) {
    return [&flight](const uint8_t* data, size_t size) { flight.emplace_back(data, data + size); };
  };
  load::DtlsHandshake a(client, load::DtlsHandshake::Role::client, claimed, into(toServer));
  load::DtlsHandshake b(server, load::DtlsHandshake::Role::server, client.fingerprint(), into(toClient));
  std::optional<load::SrtpKeys> ours = a.advance(), theirs;
  const auto deliver = [](Flight& flight, load::DtlsHandshake& to, std::optional<load::SrtpKeys>& keys) {
    const auto datagram = flight.front();
    flight.pop_front();
    if (auto made = to.advance(datagram.data(), datagram.size())) keys = made;
  };
  while (!toClient.empty() || !toServer.empty()) {
    if (!toServer.empty()) deliver(toServer, b, theirs);
    else deliver(toClient, a, ours);
  }
  if (!ours || !theirs) throw std::runtime_error("no keys");
  return {*ours, *theirs};
}

}  // namespace

void testSecurity() {
  load::startSrtp();
  for (const auto& suite : load::srtpSuites()) {
    const load::DtlsContext client({suite}), server(load::srtpSuites());
    const Ends ends = shakeHands(client, server, server.fingerprint());
    EXPECT_EQUAL(std::string(ends.client.suite.name), suite.name);
    EXPECT(ends.client.ours == ends.server.theirs && ends.client.theirs == ends.server.ours);

    load::SrtpStream out(ends.server.suite, load::SrtpStream::Direction::outbound, ends.server.ours);
    load::SrtpStream in(ends.client.suite, load::SrtpStream::Direction::inbound, ends.client.theirs);
    alignas(8) uint8_t packet[100] = {0x80, 111, 0, 1, 0, 0, 0, 0, 0, 0, 0, 9, 'h', 'e', 'l', 'l', 'o'};
    int size = 17;
    EXPECT(out.protectRtp(packet, size));
    EXPECT(size > 17 && std::string(packet + 12, packet + 17) != "hello");
    EXPECT(in.unprotectRtp(packet, size));
    EXPECT_EQUAL(size, 17);
    EXPECT_EQUAL(packet[16], 'o');
    size = 17;
    out.protectRtp(packet, size);
    packet[13] ^= 1;
    EXPECT(!in.unprotectRtp(packet, size));
  }
  const load::DtlsContext client(load::srtpSuites()), server(load::srtpSuites());
  EXPECT(throws<std::runtime_error>([&] { shakeHands(client, server, client.fingerprint()); }));
  EXPECT(throws<std::invalid_argument>([] { load::srtpSuitesNamed("AES_CM_128_HMAC_SHA1_32"); }));
}
