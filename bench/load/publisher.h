// Publishes synthetic H264, in one or more simulcast layers, and Opus, every packet with the time at which it
// was sent.
#pragma once
#include <array>
#include <functional>
#include <string>
#include <vector>

#include "rtp.h"
#include "session.h"

namespace load {

struct Layer {
  std::string rid;
  int width;
  int height;
  /** Kilobits a second, RTP headers not counted. */
  int kbps;
};

struct PublisherOptions {
  /** From the smallest to the largest. */
  std::vector<Layer> layers;
  /** Pictures a second. */
  int fps;
};

class Publisher final : public Session {
 public:
  struct Events {
    std::function<void()> connected;
    std::function<void(int status, const std::string& why)> ended;
  };
  Publisher(const Surroundings& surroundings, Endpoint endpoint, PublisherOptions options, Events events);

  uint64_t packets() const { return packets_; }
  uint64_t keyFrames() const { return keyFrames_; }
  /** Packets that were asked for again. */
  uint64_t asked() const { return asked_; }

 private:
  struct Track {
    uint32_t ssrc;
    uint8_t payloadType;
    /** Where its payloads that have one have their stamp. */
    size_t stampAt;
    StreamNames names;
    uint16_t sequence;
    uint32_t timestamp;
    uint32_t packets;
    uint32_t octets;
    /** The last ones as they were sent, by sequence number; without SRTP. */
    std::vector<std::string> sent;
  };
  struct VideoTrack : Track {
    Layer layer;
    bool keyFrameWanted;
    Nanoseconds keyFrameAt;
    int sinceKeyFrame;
  };

  std::string offer(const LocalDescription& local) override;
  void answered(const Answer& answer) override;
  void ended(int status, const std::string& why) override;
  void connected() override;
  void rtp(const uint8_t*, size_t, Nanoseconds) override {}
  void rtcp(const uint8_t* data, size_t size) override;

  static Track newTrack(size_t stampAt);
  void sendSound();
  void sendPictures();
  void sendPicture(VideoTrack& track, Nanoseconds time);
  void sendReports();
  void send(Track& track, bool marker, const std::string& payload);
  void sendAgain(const Track& track, uint16_t sequence);

  PublisherOptions options_;
  Events events_;
  Track audio_;
  std::vector<VideoTrack> video_;
  Timer soundTimer_, pictureTimer_, reportTimer_;
  /** When the next are due: a timer that comes late does not slow the stream down. */
  Nanoseconds soundAt_ = 0, pictureAt_ = 0;
  uint64_t packets_ = 0, keyFrames_ = 0, asked_ = 0;
};

}  // namespace load
