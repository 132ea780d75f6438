#include "viewer.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "h264.h"
#include "random.h"
#include "rtcp.h"

namespace load {

namespace {

/** RFC 3550 section 6.2: half to one and a half of a mean; libwebrtc's for video is a second. */
Nanoseconds untilReport() { return static_cast<Nanoseconds>((0.5 + randomFraction()) * kSecond); }

/** libwebrtc asks for a key frame when it cannot decode for 200 ms, and so on. */
constexpr Nanoseconds kKeyFramePatience = 200 * kMillisecond;

}  // namespace

PacketCounts& PacketCounts::operator+=(const PacketCounts& other) {
  expected += other.expected;
  received += other.received;
  late += other.late;
  duplicates += other.duplicates;
  overflowed += other.overflowed;
  return *this;
}

PacketCounts PacketCounts::operator-(const PacketCounts& other) const {
  return {expected - other.expected, received - other.received, late - other.late,
          duplicates - other.duplicates, overflowed - other.overflowed};
}

Viewer::Viewer(const Surroundings& surroundings, Endpoint endpoint, Meter& meter, Events events)
    : Session(surroundings, std::move(endpoint)),
      meter_(meter),
      events_(std::move(events)),
      ssrc_(random32() | 1),
      feedbackTimer_(loop(), [this] { feedback(); }) {}

std::string Viewer::offer(const LocalDescription& local) { return viewerOffer(local); }

void Viewer::answered(const Answer& answer) {
  for (const auto& section : answer.sections)
    if (section.active) tracks_.push_back({section.kind == "video", section.payloadType, section.nack, {}});
}

void Viewer::ended(int status, const std::string& why) {
  feedbackTimer_.cancel();
  events_.ended(status, why);
}

void Viewer::connected() {
  reportAt_ = now() + untilReport();
  scheduleFeedback();
}

Reception& Viewer::source(Track& track, uint32_t ssrc) {
  for (auto& known : track.sources)
    if (known.ssrc() == ssrc) return known;
  return track.sources.emplace_back(ssrc, track.video ? 90'000u : 48'000u);
}

void Viewer::rtp(const uint8_t* data, size_t size, Nanoseconds arrivedAt) {
  const auto packet = readRtp(data, size);
  if (!packet) return;
  const auto track = std::find_if(tracks_.begin(), tracks_.end(), [&](const Track& candidate) {
    return candidate.payloadType == packet->header.payloadType;
  });
  if (track == tracks_.end()) return;
  Reception& from = source(*track, packet->header.ssrc);
  const auto arrival = from.arrived(packet->header, arrivedAt);
  if (arrival == Reception::Arrival::duplicate) return;
  if (lastArrival_ != 0) longestSilence_ = std::max(longestSilence_, arrivedAt - lastArrival_);
  lastArrival_ = arrivedAt;
  if (track->video) watchVideo(*track, from, *packet, arrivedAt);
  if (meter_.on && arrival == Reception::Arrival::next) {
    const size_t at = track->video ? kFragmentStamp : kSoundStamp;
    if (packet->payloadSize > at)
      if (const auto sentAt = readStamp(packet->payload + at, packet->payloadSize - at))
        meter_.latency.add(arrivedAt - *sentAt);
  }
  if (!hasJoined()) {
    firstPacketAfter_ = arrivedAt - postedAt();
    events_.joined();
  }
}

void Viewer::watchVideo(Track& track, const Reception& from, const RtpPacket& packet, Nanoseconds arrivedAt) {
  if (beginsKeyFrame(packet.payload, packet.payloadSize)) {
    if (firstKeyFrameAfter_ == 0) firstKeyFrameAfter_ = arrivedAt - postedAt();
    keyFrameAskAt_ = 0;
  } else if (firstKeyFrameAfter_ == 0 && keyFrameAskAt_ == 0) {
    keyFrameAskAt_ = arrivedAt + kKeyFramePatience;
    scheduleFeedback();
  }
  if (track.nack && from.nextAsk()) scheduleFeedback();
}

void Viewer::rtcp(const uint8_t* data, size_t size) {
  const RtcpContents contents = readRtcp(data, size);
  for (const auto& report : contents.senderReports)
    for (auto& track : tracks_)
      for (auto& known : track.sources)
        if (known.ssrc() == report.ssrc) known.senderReported(report.compactNtp, now());
}

void Viewer::feedback() {
  const Nanoseconds time = now();
  const Reception* video = nullptr;
  for (auto& track : tracks_) {
    for (auto& from : track.sources) {
      if (track.video) video = &from;
      if (!track.nack) continue;
      if (const auto missing = from.toAskFor(time); !missing.empty())
        connection().sendRtcp(genericNack(ssrc_, from.ssrc(), missing));
      if (from.gaveUp() && track.video && keyFrameAskAt_ == 0) keyFrameAskAt_ = time;
    }
  }
  if (keyFrameAskAt_ != 0 && keyFrameAskAt_ <= time && video != nullptr) {
    connection().sendRtcp(pictureLossIndication(ssrc_, video->ssrc()));
    keyFrameAskAt_ = time + kKeyFramePatience;
  }
  if (reportAt_ <= time) {
    std::vector<ReportBlock> blocks;
    // A packet holds 31 (RFC 3550 section 6.4.1), and a stream has two sources, of which one may have been
    // replaced.
    for (auto& track : tracks_)
      if (!track.sources.empty()) blocks.push_back(track.sources.back().report(time));
    connection().sendRtcp(receiverReport(ssrc_, cname(), blocks));
    reportAt_ = time + untilReport();
  }
  scheduleFeedback();
}

void Viewer::scheduleFeedback() {
  Nanoseconds next = reportAt_;
  if (keyFrameAskAt_ != 0) next = std::min(next, keyFrameAskAt_);
  for (const auto& track : tracks_)
    for (const auto& from : track.sources)
      if (track.nack) next = std::min(next, from.nextAsk().value_or(std::numeric_limits<Nanoseconds>::max()));
  feedbackTimer_.set(next);
}

PacketCounts Viewer::counts() const {
  PacketCounts counts;
  for (const auto& track : tracks_) {
    for (const auto& from : track.sources) {
      counts.expected += from.expected();
      counts.received += from.received();
      counts.late += from.late();
      counts.duplicates += from.duplicates();
    }
  }
  counts.overflowed = connection().overflowed();
  return counts;
}

Nanoseconds Viewer::longestSilence(Nanoseconds since) {
  const Nanoseconds going = now() - std::max(since, lastArrival_);
  return std::max(going, std::exchange(longestSilence_, 0));
}

}  // namespace load
