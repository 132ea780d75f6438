#include "publisher.h"

#include <algorithm>
#include <cstring>

#include "h264.h"
#include "random.h"
#include "rtcp.h"
#include "rtp.h"

namespace load {

namespace {

constexpr uint32_t kVideoClock = 90'000;
constexpr uint32_t kAudioClock = 48'000;
constexpr Nanoseconds kOpusFrame = 20 * kMillisecond;
/** 32 kbps: libwebrtc's for voice. */
constexpr size_t kOpusBytes = 80;
/** RFC 6716 section 3.1: CELT, full band, 20 ms, mono, one frame. */
constexpr char kOpusToc = static_cast<char>(31 << 3);
constexpr Nanoseconds kReportPace = kSecond;
/** Seconds: encoders for live video make a key frame that often unasked. */
constexpr int kKeyFramePace = 4;
/** A key frame is as large as so many others. */
constexpr double kKeyFrameSize = 4;
/** libwebrtc makes no two in a shorter time, however often it is asked. */
constexpr Nanoseconds kKeyFrameRest = 300 * kMillisecond;
constexpr size_t kHistory = 1024;
/** A sender that was stopped for longer leaves out what it missed. */
constexpr Nanoseconds kForget = 500 * kMillisecond;

}  // namespace

Publisher::Publisher(const Surroundings& surroundings, Endpoint endpoint, PublisherOptions options,
                     Events events)
    : Session(surroundings, std::move(endpoint)),
      options_(std::move(options)),
      events_(std::move(events)),
      audio_(newTrack(kSoundStamp)),
      soundTimer_(loop(), [this] { sendSound(); }),
      pictureTimer_(loop(), [this] { sendPictures(); }),
      reportTimer_(loop(), [this] { sendReports(); }) {
  for (const auto& layer : options_.layers) video_.push_back({newTrack(kFragmentStamp), layer, true, 0, 0});
}

Publisher::Track Publisher::newTrack(size_t stampAt) {
  Track track{};
  track.stampAt = stampAt;
  // 0 would look like none.
  track.ssrc = random32() | 1;
  track.sequence = static_cast<uint16_t>(random32());
  track.timestamp = random32();
  track.sent.resize(kHistory);
  return track;
}

std::string Publisher::offer(const LocalDescription& local) {
  PublishedTracks tracks{audio_.ssrc, {}};
  for (const auto& track : video_) tracks.layers.push_back({track.layer.rid, track.ssrc});
  return publisherOffer(local, tracks);
}

void Publisher::answered(const Answer& answer) {
  for (const auto& section : answer.sections) {
    if (section.kind == "audio") audio_.payloadType = section.payloadType;
    for (auto& track : video_) {
      if (section.kind == "video") track.payloadType = section.payloadType;
      if (video_.size() > 1) track.names = {kMidExtension, kVideoMid, kRidExtension, track.layer.rid};
    }
  }
}

void Publisher::ended(int status, const std::string& why) {
  soundTimer_.cancel();
  pictureTimer_.cancel();
  reportTimer_.cancel();
  events_.ended(status, why);
}

void Publisher::connected() {
  soundAt_ = pictureAt_ = now();
  sendSound();
  sendPictures();
  sendReports();
  events_.connected();
}

void Publisher::sendSound() {
  const Nanoseconds time = now();
  if (time - soundAt_ > kForget) soundAt_ = time;
  for (; soundAt_ <= time; soundAt_ += kOpusFrame) {
    std::string payload(kOpusBytes, '\x5a');
    payload[0] = kOpusToc;
    writeStamp(reinterpret_cast<uint8_t*>(payload.data()) + kSoundStamp, 0);
    send(audio_, false, payload);
    audio_.timestamp += kAudioClock / 50;
  }
  soundTimer_.set(soundAt_);
}

void Publisher::sendPictures() {
  const Nanoseconds time = now();
  if (time - pictureAt_ > kForget) pictureAt_ = time;
  for (; pictureAt_ <= time; pictureAt_ += kSecond / options_.fps) {
    for (auto& track : video_) sendPicture(track, time);
  }
  pictureTimer_.set(pictureAt_);
}

void Publisher::sendPicture(VideoTrack& track, Nanoseconds time) {
  const int pace = kKeyFramePace * options_.fps;
  const bool key =
      (track.keyFrameWanted && time - track.keyFrameAt >= kKeyFrameRest) || track.sinceKeyFrame >= pace;
  if (key) {
    track.keyFrameWanted = false;
    track.keyFrameAt = time;
    track.sinceKeyFrame = 0;
    keyFrames_ += 1;
  }
  track.sinceKeyFrame += 1;
  // So that a round from key frame to key frame has the bit rate.
  const double mean = track.layer.kbps * 1000.0 / 8 / options_.fps;
  const double delta = mean * pace / (pace - 1 + kKeyFrameSize);
  const auto size = static_cast<size_t>(key ? kKeyFrameSize * delta : delta);
  const auto payloads = picturePayloads(key, size, track.layer.width, track.layer.height);
  for (const auto& payload : payloads) send(track, &payload == &payloads.back(), payload);
  track.timestamp += kVideoClock / static_cast<uint32_t>(options_.fps);
}

void Publisher::send(Track& track, bool marker, const std::string& payload) {
  alignas(8) uint8_t packet[UdpSocket::kLargest];
  const RtpHeader header{track.payloadType, marker, track.sequence, track.timestamp, track.ssrc};
  const size_t at = writeRtpHeader(packet, header, track.names);
  std::memcpy(packet + at, payload.data(), payload.size());
  uint8_t* stamp = packet + at + track.stampAt;
  // The last thing before it goes.
  if (payload.size() > track.stampAt && readStamp(stamp, payload.size() - track.stampAt))
    writeStamp(stamp, now());
  track.sent[track.sequence % kHistory].assign(reinterpret_cast<char*>(packet), at + payload.size());
  track.sequence += 1;
  track.packets += 1;
  track.octets += static_cast<uint32_t>(payload.size());
  packets_ += 1;
  connection().sendRtp(packet, at + payload.size());
}

void Publisher::sendReports() {
  const Nanoseconds wallClock = readClock(CLOCK_REALTIME);
  const auto report = [&](const Track& track) {
    connection().sendRtcp(
        senderReport({track.ssrc, track.timestamp, track.packets, track.octets}, cname(), wallClock));
  };
  report(audio_);
  for (const auto& track : video_) report(track);
  reportTimer_.set(now() + kReportPace);
}

void Publisher::rtcp(const uint8_t* data, size_t size) {
  const RtcpContents contents = readRtcp(data, size);
  for (auto& track : video_) {
    for (const uint32_t media : contents.keyFrameRequests)
      if (media == track.ssrc) track.keyFrameWanted = true;
    for (const auto& nack : contents.nacks)
      if (nack.media == track.ssrc) sendAgain(track, nack.sequence);
  }
}

void Publisher::sendAgain(const Track& track, uint16_t sequence) {
  const std::string& sent = track.sent[sequence % kHistory];
  const auto packet = readRtp(reinterpret_cast<const uint8_t*>(sent.data()), sent.size());
  if (!packet || packet->header.sequence != sequence) return;
  asked_ += 1;
  alignas(8) uint8_t copy[UdpSocket::kLargest];
  std::memcpy(copy, sent.data(), sent.size());
  connection().sendRtp(copy, sent.size());
}

}  // namespace load
