#include "sdp.h"

#include <arpa/inet.h>

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "random.h"

namespace load {

namespace {

class Lines {
 public:
  Lines& operator<<(const std::string& line) {
    text_ += line + "\r\n";
    return *this;
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

std::string opening(const LocalDescription&) {
  Lines lines;
  lines << "v=0"
        << "o=- " + std::to_string(random32()) + " 1 IN IP4 127.0.0.1"
        << "s=-"
        << "t=0 0" << std::string("a=group:BUNDLE ") + kAudioMid + " " + kVideoMid
        << "a=msid-semantic: WMS *";
  return lines.text();
}

/** What a section has of the transport; all sections have the same one. */
std::string section(const LocalDescription& local, const std::string& kind, uint8_t payloadType,
                    const std::string& mid, const std::string& direction) {
  Lines lines;
  lines << "m=" + kind + " 9 UDP/TLS/RTP/SAVPF " + std::to_string(payloadType) << "c=IN IP4 0.0.0.0"
        << "a=mid:" + mid << "a=" + direction << "a=ice-ufrag:" + local.ice.usernameFragment
        << "a=ice-pwd:" + local.ice.password << "a=fingerprint:sha-256 " + local.fingerprint
        << "a=setup:actpass"
        << "a=rtcp-mux"
        << "a=rtcp-rsize"
        // Priority: RFC 8445 section 5.1.2.1 for a host candidate of one interface.
        << "a=candidate:1 1 udp 2130706431 " + local.address + " " + std::to_string(local.port) + " typ host"
        << "a=end-of-candidates";
  return lines.text();
}

std::string opus() {
  const std::string type = std::to_string(kOpus);
  return (Lines() << "a=rtpmap:" + type + " opus/48000/2"
                  << "a=fmtp:" + type + " minptime=10;useinbandfec=1")
      .text();
}

std::string h264() {
  const std::string type = std::to_string(kH264);
  return (Lines() << "a=rtpmap:" + type + " H264/90000"
                  << "a=fmtp:" + type +
                         " level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
                  << "a=rtcp-fb:" + type + " nack"
                  << "a=rtcp-fb:" + type + " nack pli"
                  << "a=rtcp-fb:" + type + " ccm fir")
      .text();
}

std::string source(uint32_t ssrc, const std::string& cname) {
  return "a=ssrc:" + std::to_string(ssrc) + " cname:" + cname;
}

bool takeAfter(const std::string& line, const std::string& prefix, std::string& rest) {
  if (line.compare(0, prefix.size(), prefix) != 0) return false;
  rest = line.substr(prefix.size());
  return true;
}

/** @returns whether it is one that we can use. */
bool readCandidate(const std::string& text, Answer::Candidate& candidate) {
  std::istringstream fields(text);
  std::string foundation, component, protocol, priority, address, typ;
  int port = 0;
  fields >> foundation >> component >> protocol >> priority >> address >> port >> typ;
  std::transform(protocol.begin(), protocol.end(), protocol.begin(),
                 [](unsigned char c) { return std::tolower(c); });
  in_addr parsed{};
  if (!fields || typ != "typ" || component != "1" || protocol != "udp" || port <= 0 || port > 65535 ||
      inet_pton(AF_INET, address.c_str(), &parsed) != 1) {
    return false;
  }
  candidate = {address, static_cast<uint16_t>(port)};
  return true;
}

}  // namespace

std::string publisherOffer(const LocalDescription& local, const PublishedTracks& tracks) {
  Lines lines;
  const std::string stream = "a=msid:" + local.cname;
  std::string text = opening(local) + section(local, "audio", kOpus, kAudioMid, "sendonly") + opus();
  text += (Lines() << stream + " audio" << source(tracks.audioSsrc, local.cname)).text();
  text += section(local, "video", kH264, kVideoMid, "sendonly") + h264();
  lines << stream + " video";
  if (tracks.layers.size() == 1) {
    lines << source(tracks.layers.front().ssrc, local.cname);
    return text + lines.text();
  }
  lines << "a=extmap:" + std::to_string(kMidExtension) + " urn:ietf:params:rtp-hdrext:sdes:mid"
        << "a=extmap:" + std::to_string(kRidExtension) + " urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id";
  std::string list;
  for (const auto& layer : tracks.layers) {
    lines << "a=rid:" + layer.rid + " send";
    list += (list.empty() ? "" : ";") + layer.rid;
  }
  lines << "a=simulcast:send " + list;
  return text + lines.text();
}

std::string viewerOffer(const LocalDescription& local) {
  return opening(local) + section(local, "audio", kOpus, kAudioMid, "recvonly") + opus() +
         section(local, "video", kH264, kVideoMid, "recvonly") + h264();
}

Answer readAnswer(const std::string& sdp) {
  Answer answer;
  std::istringstream input(sdp);
  for (std::string line, rest; std::getline(input, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    AnswerSection* current = answer.sections.empty() ? nullptr : &answer.sections.back();
    if (takeAfter(line, "m=", rest)) {
      std::istringstream fields(rest);
      AnswerSection next;
      std::string protocol;
      int port = 0, payloadType = 0;
      fields >> next.kind >> port >> protocol >> payloadType;
      next.payloadType = static_cast<uint8_t>(payloadType);
      next.active = port != 0;
      answer.sections.push_back(next);
    } else if (takeAfter(line, "a=ice-ufrag:", rest)) {
      // The first counts: with BUNDLE it is everyone's (RFC 9143 section 7.1.3).
      if (answer.ice.usernameFragment.empty()) answer.ice.usernameFragment = rest;
    } else if (takeAfter(line, "a=ice-pwd:", rest)) {
      if (answer.ice.password.empty()) answer.ice.password = rest;
    } else if (takeAfter(line, "a=fingerprint:sha-256 ", rest)) {
      std::transform(rest.begin(), rest.end(), rest.begin(), [](unsigned char c) { return std::toupper(c); });
      if (answer.fingerprint.empty()) answer.fingerprint = rest;
    } else if (takeAfter(line, "a=setup:", rest)) {
      answer.setupActive = rest == "active";
    } else if (line == "a=inactive") {
      if (current) current->active = false;
    } else if (current && takeAfter(line, "a=rtcp-fb:" + std::to_string(current->payloadType) + " ", rest)) {
      if (rest == "nack") current->nack = true;
    } else if (takeAfter(line, "a=candidate:", rest)) {
      Answer::Candidate candidate;
      const auto same = [&](const auto& known) {
        return known.address == candidate.address && known.port == candidate.port;
      };
      if (readCandidate(rest, candidate) &&
          std::none_of(answer.candidates.begin(), answer.candidates.end(), same)) {
        answer.candidates.push_back(candidate);
      }
    }
  }
  const auto require = [](bool there, const char* what) {
    if (!there) throw std::runtime_error(std::string("the answer has no ") + what);
  };
  require(!answer.sections.empty(), "media section");
  require(!answer.ice.usernameFragment.empty() && !answer.ice.password.empty(), "ICE credentials");
  require(!answer.fingerprint.empty(), "SHA-256 fingerprint");
  require(!answer.candidates.empty(), "UDP candidate with an IPv4 address");
  return answer;
}

}  // namespace load
