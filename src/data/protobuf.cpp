#include "data/protobuf.h"

namespace orch {

namespace {

Error malformed(const char* what) {
  return Error::make(Code::parse, std::string("malformed protobuf: ") + what);
}

constexpr uint64_t kHighestField = (uint64_t{1} << 29) - 1;

uint64_t tag(uint32_t field, WireType type) {
  return uint64_t{field} << 3 | static_cast<uint64_t>(type);
}

}  // namespace

void ProtoWriter::raw_varint(uint64_t value) {
  char bytes[10];
  size_t size = 0;
  while (value >= 0x80) {
    bytes[size++] = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  bytes[size++] = static_cast<char>(value);
  out_.append(bytes, size);
}

void ProtoWriter::varint(uint32_t field, uint64_t value) {
  raw_varint(tag(field, WireType::varint));
  raw_varint(value);
}

void ProtoWriter::fixed64(uint32_t field, uint64_t value) {
  raw_varint(tag(field, WireType::fixed64));
  for (int shift = 0; shift < 64; shift += 8) out_ += static_cast<char>(value >> shift & 0xFF);
}

void ProtoWriter::bytes(uint32_t field, std::string_view value) {
  raw_varint(tag(field, WireType::length));
  raw_varint(value.size());
  out_ += value;
}

Result<uint64_t> ProtoReader::raw_varint() {
  uint64_t value = 0;
  for (size_t i = 0; i < rest_.size() && i < 10; ++i) {
    uint64_t byte = static_cast<unsigned char>(rest_[i]);
    if (i == 9 && byte > 1) break;  // past 64 bits
    value |= (byte & 0x7F) << (7 * i);
    if (byte < 0x80) {
      rest_.remove_prefix(i + 1);
      return value;
    }
  }
  return malformed(rest_.size() < 10 ? "truncated varint" : "varint of more than 64 bits");
}

Result<ProtoField> ProtoReader::next() {
  TRY(uint64_t key, raw_varint());
  uint64_t number = key >> 3;
  if (number == 0 || number > kHighestField) return malformed("field number out of range");
  ProtoField field{static_cast<uint32_t>(number), static_cast<WireType>(key & 7), 0, {}};
  size_t fixed = 0;
  switch (field.type) {
    case WireType::varint: {
      TRY(field.value, raw_varint());
      return field;
    }
    case WireType::length: {
      TRY(uint64_t size, raw_varint());
      if (size > rest_.size()) return malformed("length beyond the end");
      field.bytes = rest_.substr(0, size);
      rest_.remove_prefix(size);
      return field;
    }
    case WireType::fixed64: fixed = 8; break;
    case WireType::fixed32: fixed = 4; break;
    default: return malformed("unknown wire type");
  }
  if (rest_.size() < fixed) return malformed("truncated fixed-size field");
  for (size_t i = 0; i < fixed; ++i) {
    field.value |= uint64_t{static_cast<unsigned char>(rest_[i])} << (8 * i);
  }
  rest_.remove_prefix(fixed);
  return field;
}

}  // namespace orch
