// One JSON object a line, as the program that started us reads them.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace load {

class JsonObject {
 public:
  JsonObject& add(const char* name, const std::string& value);
  JsonObject& add(const char* name, const char* value) { return add(name, std::string(value)); }
  JsonObject& add(const char* name, double value);
  JsonObject& add(const char* name, uint64_t value);
  JsonObject& add(const char* name, int value) { return add(name, static_cast<double>(value)); }
  JsonObject& add(const char* name, const JsonObject& value);
  JsonObject& add(const char* name, const std::vector<JsonObject>& values);
  std::string text() const { return "{" + members_ + "}"; }
  /** To stdout, at once. */
  void print() const;

 private:
  void name(const char* name);
  std::string members_;
};

}  // namespace load
