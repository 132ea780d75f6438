// Numbers in network byte order, in and out of packets.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>

namespace load {

inline uint16_t read16(const uint8_t* at) { return static_cast<uint16_t>(at[0] << 8 | at[1]); }

inline uint32_t read32(const uint8_t* at) { return static_cast<uint32_t>(read16(at)) << 16 | read16(at + 2); }

inline uint64_t read64(const uint8_t* at) { return static_cast<uint64_t>(read32(at)) << 32 | read32(at + 4); }

inline void write16(uint8_t* at, uint32_t value) {
  at[0] = static_cast<uint8_t>(value >> 8);
  at[1] = static_cast<uint8_t>(value);
}

inline void write32(uint8_t* at, uint32_t value) {
  write16(at, value >> 16);
  write16(at + 2, value & 0xffff);
}

inline void write64(uint8_t* at, uint64_t value) {
  write32(at, static_cast<uint32_t>(value >> 32));
  write32(at + 4, static_cast<uint32_t>(value));
}

/** A packet while it is put together. */
class Writer {
 public:
  void u8(uint32_t value) { bytes_.push_back(static_cast<char>(value)); }
  void u16(uint32_t value) {
    u8(value >> 8);
    u8(value);
  }
  void u32(uint32_t value) {
    u16(value >> 16);
    u16(value);
  }
  void append(const void* data, size_t size) { bytes_.append(static_cast<const char*>(data), size); }
  void append(const std::string& text) { bytes_.append(text); }
  /** Zeros up to the next multiple of `unit`. */
  void pad(size_t unit) {
    while (bytes_.size() % unit != 0) u8(0);
  }
  /** Overwrites what stands at `offset`. */
  void put16(size_t offset, uint32_t value) { write16(data() + offset, value); }

  uint8_t* data() { return reinterpret_cast<uint8_t*>(bytes_.data()); }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(bytes_.data()); }
  size_t size() const { return bytes_.size(); }

 private:
  std::string bytes_;
};

}  // namespace load
