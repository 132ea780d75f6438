// H264 payloads: their sizes, marks and parameter sets.
#include "h264.h"

#include "check.h"
#include "rtp.h"

void testH264() {
  const auto bytes = [](const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); };
  const auto key = load::picturePayloads(true, 16'000, 1280, 720);
  EXPECT_EQUAL(key.size(), 1u + 15);
  EXPECT(load::beginsKeyFrame(bytes(key[0]), key[0].size()));
  EXPECT(load::beginsKeyFrame(bytes(key[1]), key[1].size()));
  EXPECT(!load::beginsKeyFrame(bytes(key[2]), key[2].size()));
  EXPECT(!load::readStamp(bytes(key[0]) + load::kFragmentStamp, key[0].size() - load::kFragmentStamp));
  size_t size = 0;
  for (size_t index = 1; index < key.size(); index += 1) {
    size += key[index].size();
    EXPECT(
        load::readStamp(bytes(key[index]) + load::kFragmentStamp, key[index].size() - load::kFragmentStamp));
    EXPECT(key[index].size() <= 1100);
  }
  EXPECT(size > 15'900 && size <= 16'000);
  // The last fragment is marked as such (RFC 6184 section 5.8).
  EXPECT_EQUAL(key.back()[1] & 0xc0, 0x40);

  const auto delta = load::picturePayloads(false, 10, 1280, 720);
  EXPECT_EQUAL(delta.size(), 2u);
  EXPECT(!load::beginsKeyFrame(bytes(delta[0]), delta[0].size()));

  // By hand: 1280 × 720 is 80 × 45 blocks, without cropping.
  const std::string set = load::sequenceParameterSet(1280, 720);
  EXPECT_EQUAL(set, std::string("\x67\x42\xe0\x1f\xda\x01\x40\x16\xe4", 9));
}
