// The offers that we make, and what we read of an answer (RFC 8866, RFC 8829).
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace load {

struct IceCredentials {
  std::string usernameFragment;
  std::string password;
};

/** Where and as whom we can be reached. */
struct LocalDescription {
  IceCredentials ice;
  std::string fingerprint;
  std::string address;
  uint16_t port;
  std::string cname;
};

/** A simulcast layer, or the only one. */
struct OfferedLayer {
  std::string rid;
  uint32_t ssrc;
};

struct PublishedTracks {
  uint32_t audioSsrc;
  /** From the smallest to the largest; with more than one, they have rids and are not told by their SSRCs. */
  std::vector<OfferedLayer> layers;
};

/** The numbers that our offers give, in Chromium's way. */
inline constexpr uint8_t kOpus = 111;
inline constexpr uint8_t kH264 = 109;
inline constexpr uint8_t kMidExtension = 4;
inline constexpr uint8_t kRidExtension = 10;
inline constexpr char kAudioMid[] = "0";
inline constexpr char kVideoMid[] = "1";

std::string publisherOffer(const LocalDescription& local, const PublishedTracks& tracks);
std::string viewerOffer(const LocalDescription& local);

struct AnswerSection {
  std::string kind;
  uint8_t payloadType = 0;
  bool active = false;
  /** Whether the other side takes requests to send a packet again. */
  bool nack = false;
};

struct Answer {
  IceCredentials ice;
  /** SHA-256, in capitals. */
  std::string fingerprint;
  /** Whether the other side begins DTLS. */
  bool setupActive = false;
  std::vector<AnswerSection> sections;
  struct Candidate {
    std::string address;
    uint16_t port;
  };
  /** UDP over IPv4. */
  std::vector<Candidate> candidates;
};

/** @throws std::runtime_error that says what the answer has not got. */
Answer readAnswer(const std::string& sdp);

}  // namespace load
