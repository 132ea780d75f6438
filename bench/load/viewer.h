// A WHEP viewer: what it receives and how late, with the feedback that a browser gives.
#pragma once
#include <functional>
#include <list>
#include <string>

#include "histogram.h"
#include "reception.h"
#include "session.h"

namespace load {

/** What several viewers measure together, while it is on. */
struct Meter {
  bool on = false;
  /** From the publisher's send to the viewer's kernel. */
  Histogram latency;
};

/** Packets, from a viewer's beginning on. */
struct PacketCounts {
  uint64_t expected = 0;
  uint64_t received = 0;
  /** Of the received: after a later one, mostly on request. */
  uint64_t late = 0;
  uint64_t duplicates = 0;
  /** Lost here, for we were too slow. */
  uint64_t overflowed = 0;

  PacketCounts& operator+=(const PacketCounts& other);
  PacketCounts operator-(const PacketCounts& other) const;
};

class Viewer final : public Session {
 public:
  struct Events {
    /** The first packet of media came. */
    std::function<void()> joined;
    /** It was refused (`status` other than 201), or it failed. Last. */
    std::function<void(int status, const std::string& why)> ended;
  };
  Viewer(const Surroundings& surroundings, Endpoint endpoint, Meter& meter, Events events);

  bool hasJoined() const { return firstPacketAfter_ > 0; }
  /** From the POST to the first packet of media; 0 before. */
  Nanoseconds firstPacketAfter() const { return firstPacketAfter_; }
  /** From the POST to the first packet with which a decoder can begin; 0 before. */
  Nanoseconds firstKeyFrameAfter() const { return firstKeyFrameAfter_; }
  PacketCounts counts() const;
  /** The longest time without a packet since `since`, when this was last called, until now. */
  Nanoseconds longestSilence(Nanoseconds since);

 private:
  struct Track {
    bool video;
    uint8_t payloadType;
    bool nack;
    std::list<Reception> sources;
  };

  std::string offer(const LocalDescription& local) override;
  void answered(const Answer& answer) override;
  void ended(int status, const std::string& why) override;
  void connected() override;
  void rtp(const uint8_t* data, size_t size, Nanoseconds arrivedAt) override;
  void rtcp(const uint8_t* data, size_t size) override;
  Reception& source(Track& track, uint32_t ssrc);
  void watchVideo(Track& track, const Reception& from, const RtpPacket& packet, Nanoseconds arrivedAt);
  void feedback();
  void scheduleFeedback();

  Meter& meter_;
  Events events_;
  uint32_t ssrc_;
  std::list<Track> tracks_;
  Timer feedbackTimer_;
  Nanoseconds reportAt_ = 0;
  /** When to ask for a key frame; 0 while none is missing. */
  Nanoseconds keyFrameAskAt_ = 0;
  Nanoseconds firstPacketAfter_ = 0, firstKeyFrameAfter_ = 0;
  Nanoseconds lastArrival_ = 0, longestSilence_ = 0;
};

}  // namespace load
