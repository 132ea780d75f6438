#include "h264.h"

#include <algorithm>

#include "bytes.h"
#include "rtp.h"

namespace load {

namespace {

/** NAL unit types (H.264 table 7-1, RFC 6184 table 1). */
enum Nal : uint8_t { kSlice = 1, kIdr = 5, kSps = 7, kPps = 8, kStapA = 24, kFuA = 28 };

/** nal_ref_idc: other pictures refer to it. */
constexpr uint8_t kReference = 0x60;

/** Bytes of a payload: libwebrtc's 1200 for a whole packet, less headers and SRTP. */
constexpr size_t kPayload = 1100;

/** constraint_set0 and 1: what `42e01f` in SDP calls constrained baseline. */
constexpr uint8_t kConstraints = 0xe0;
constexpr uint8_t kBaseline = 66;
constexpr uint8_t kLevel31 = 31;

/** The bits of a raw byte sequence payload (H.264 section 7.2). */
class Bits {
 public:
  void bit(bool set) {
    if (count_ % 8 == 0) bytes_.push_back(0);
    if (set) bytes_.back() = static_cast<char>(bytes_.back() | 0x80 >> count_ % 8);
    count_ += 1;
  }
  void number(uint32_t value, int width) {
    for (int shift = width - 1; shift >= 0; shift -= 1) bit(value >> shift & 1);
  }
  /** Exponential Golomb: ue(v). */
  void golomb(uint32_t value) {
    int width = 0;
    while ((value + 1) >> (width + 1)) width += 1;
    number(0, width);
    number(value + 1, width + 1);
  }
  std::string ended() {
    bit(true);
    return bytes_;
  }

 private:
  std::string bytes_;
  int count_ = 0;
};

/** Emulation prevention (H.264 section 7.4.1): no three bytes in a row look like a start code. */
std::string escaped(const std::string& raw) {
  std::string out;
  int zeros = 0;
  for (const char c : raw) {
    if (zeros >= 2 && static_cast<uint8_t>(c) <= 3) {
      out.push_back(3);
      zeros = 0;
    }
    out.push_back(c);
    zeros = c == 0 ? zeros + 1 : 0;
  }
  return out;
}

/** Entropy coding CAVLC, one slice group, nothing special. */
const std::string& pictureParameterSet() {
  static const std::string set{static_cast<char>(kReference | kPps), '\xce', '\x3c', '\x80'};
  return set;
}

std::string stapA(std::initializer_list<std::string> units) {
  Writer out;
  out.u8(kReference | kStapA);
  for (const auto& unit : units) {
    out.u16(static_cast<uint32_t>(unit.size()));
    out.append(unit);
  }
  return std::string(reinterpret_cast<const char*>(out.data()), out.size());
}

}  // namespace

std::string sequenceParameterSet(int width, int height) {
  const auto blocks = [](int pixels) { return static_cast<uint32_t>((pixels + 15) / 16); };
  Bits bits;
  bits.number(kBaseline, 8);
  bits.number(kConstraints, 8);
  bits.number(kLevel31, 8);
  bits.golomb(0);   // seq_parameter_set_id
  bits.golomb(0);   // log2_max_frame_num_minus4
  bits.golomb(2);   // pic_order_cnt_type: the order of decoding
  bits.golomb(1);   // max_num_ref_frames
  bits.bit(false);  // gaps_in_frame_num_value_allowed_flag
  bits.golomb(blocks(width) - 1);
  bits.golomb(blocks(height) - 1);
  bits.bit(true);  // frame_mbs_only_flag
  bits.bit(true);  // direct_8x8_inference_flag
  const auto surplusX = blocks(width) * 16 - static_cast<uint32_t>(width);
  const auto surplusY = blocks(height) * 16 - static_cast<uint32_t>(height);
  bits.bit(surplusX + surplusY > 0);  // frame_cropping_flag, in units of two pixels
  if (surplusX + surplusY > 0) {
    bits.golomb(0);
    bits.golomb(surplusX / 2);
    bits.golomb(0);
    bits.golomb(surplusY / 2);
  }
  bits.bit(false);  // vui_parameters_present_flag
  return static_cast<char>(kReference | kSps) + escaped(bits.ended());
}

std::vector<std::string> picturePayloads(bool key, size_t size, int width, int height) {
  std::vector<std::string> payloads;
  if (key) payloads.push_back(stapA({sequenceParameterSet(width, height), pictureParameterSet()}));
  const size_t fragments = std::max<size_t>(2, (size + kPayload - 1) / kPayload);
  const size_t each = std::max(kFragmentStamp + kStampSize, size / fragments);
  for (size_t index = 0; index < fragments; index += 1) {
    // No byte of it is zero: nothing looks like a start code.
    std::string payload(each, static_cast<char>(0x80 | (index & 0x7f)));
    auto* at = reinterpret_cast<uint8_t*>(payload.data());
    at[0] = kReference | kFuA;
    at[1] = static_cast<uint8_t>((index == 0 ? 0x80 : 0) | (index == fragments - 1 ? 0x40 : 0) |
                                 (key ? kIdr : kSlice));
    writeStamp(at + kFragmentStamp, 0);
    payloads.push_back(std::move(payload));
  }
  return payloads;
}

bool beginsKeyFrame(const uint8_t* payload, size_t size) {
  if (size < 2) return false;
  switch (payload[0] & 31) {
    case kSps:
    case kIdr:
      return true;
    case kStapA:
      return size >= 4 && (payload[3] & 31) == kSps;
    case kFuA:
      return (payload[1] & 0x80) != 0 && (payload[1] & 31) == kIdr;
    default:
      return false;
  }
}

}  // namespace load
