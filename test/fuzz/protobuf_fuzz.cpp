// Protobuf: fields that parse are written as bytes that parse to the same fields, nested ones too.

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include "data/protobuf.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

std::vector<orch::ProtoField> fields_of(std::string_view bytes, int depth) {
  std::vector<orch::ProtoField> fields;
  orch::ProtoReader reader(bytes);
  while (!reader.done()) {
    auto field = reader.next();
    if (!field.ok()) break;
    if (field->type == orch::WireType::length && depth > 0) fields_of(field->bytes, depth - 1);
    fields.push_back(*field);
  }
  return fields;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<orch::ProtoField> fields = fields_of(text, 4);
  std::string out;
  orch::ProtoWriter writer(out);
  for (const orch::ProtoField& field : fields) {
    switch (field.type) {
      case orch::WireType::varint: writer.varint(field.number, field.value); break;
      case orch::WireType::length: writer.bytes(field.number, field.bytes); break;
      default: writer.fixed64(field.number, field.value); break;
    }
  }
  std::vector<orch::ProtoField> again = fields_of(out, 0);
  if (again.size() != fields.size()) std::abort();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (again[i].number != fields[i].number || again[i].value != fields[i].value ||
        again[i].bytes != fields[i].bytes) {
      std::abort();
    }
  }
  return 0;
}
