#include "json.h"

#include <cstdio>

namespace load {

namespace {

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      char escape[8];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      out += escape;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

void JsonObject::name(const char* name) {
  if (!members_.empty()) members_ += ",";
  members_ += quoted(name) + ":";
}

JsonObject& JsonObject::add(const char* key, const std::string& value) {
  name(key);
  members_ += quoted(value);
  return *this;
}

JsonObject& JsonObject::add(const char* key, double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.10g", value);
  name(key);
  members_ += text;
  return *this;
}

JsonObject& JsonObject::add(const char* key, uint64_t value) {
  name(key);
  members_ += std::to_string(value);
  return *this;
}

JsonObject& JsonObject::add(const char* key, const JsonObject& value) {
  name(key);
  members_ += value.text();
  return *this;
}

JsonObject& JsonObject::add(const char* key, const std::vector<JsonObject>& values) {
  name(key);
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ",") + value.text();
  members_ += "[" + list + "]";
  return *this;
}

void JsonObject::print() const {
  std::fputs((text() + "\n").c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace load
