#pragma once
// The protobuf wire format: varints, tags, length-delimited fields. Knows no schema.

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace orch {

enum class WireType : uint8_t { varint = 0, fixed64 = 1, length = 2, fixed32 = 5 };

class ProtoWriter {
 public:
  explicit ProtoWriter(std::string& out) : out_(out) {}
  void varint(uint32_t field, uint64_t value);
  void fixed64(uint32_t field, uint64_t value);
  void bytes(uint32_t field, std::string_view value);
  // Writes a nested message: everything `body` appends becomes field `field`.
  template <class F>
  void message(uint32_t field, F&& body) {
    std::string nested;
    ProtoWriter writer(nested);
    body(writer);
    bytes(field, nested);
  }
  std::string& out() { return out_; }

 private:
  void raw_varint(uint64_t value);
  std::string& out_;
};

struct ProtoField {
  uint32_t number = 0;
  WireType type = WireType::varint;
  uint64_t value = 0;      // varint, fixed
  std::string_view bytes;  // length-delimited
};

class ProtoReader {
 public:
  explicit ProtoReader(std::string_view bytes) : rest_(bytes) {}
  bool done() const { return rest_.empty(); }
  // Errors: Code::parse on truncated or malformed input (groups are refused).
  Result<ProtoField> next();

 private:
  Result<uint64_t> raw_varint();
  std::string_view rest_;
};

}  // namespace orch
