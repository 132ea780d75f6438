// H264 that routers take for a picture and no decoder could show: real parameter sets and NAL headers (RFC
// 6184).
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace load {

/** A sequence parameter set: constrained baseline, level 3.1. @param width, height pixels, even. */
std::string sequenceParameterSet(int width, int height);

/**
 * One picture as RTP payloads: for a key frame a STAP-A with its parameter sets, then FU-A fragments. Every
 * fragment has a stamp at `kFragmentStamp`, of no time yet.
 * @param size bytes of the picture; it has at least two fragments.
 */
std::vector<std::string> picturePayloads(bool key, size_t size, int width, int height);

/** Where a fragment's stamp stands in its payload: after the FU indicator and the FU header. */
inline constexpr size_t kFragmentStamp = 2;

/** Whether a decoder could begin with this payload: parameter sets, or the beginning of an IDR picture. */
bool beginsKeyFrame(const uint8_t* payload, size_t size);

}  // namespace load
