#include "random_object.h"

#include <array>

#include "base/text.h"
#include "base/time.h"

namespace orch::schema {

Value RandomObject::object(const Type& type, int density, int depth) {
  ObjectBuilder builder;
  if (depth > 6) return std::move(builder).build();
  for (const Type::Entry& entry : type.index) {
    if (!chance(density)) continue;
    builder.set(entry.field->key, field(*entry.field, density * 7 / 10, depth + 1));
  }
  return std::move(builder).build();
}

Value RandomObject::field(const Field& field, int density, int depth) {
  if (chance(3)) return nullptr;
  if (field.type.shape == Shape::list) return list(field.type, density, depth);
  if (field.type.shape == Shape::single) return single(field.type, density, depth);
  ObjectBuilder builder;
  for (uint64_t i = random_.below(4); i > 0; --i) {
    std::string key = "k" + std::to_string(random_.below(20));
    builder.set(key, field.type.list_values ? list(field.type, density, depth)
                                            : single(field.type, density, depth));
  }
  return std::move(builder).build();
}

Value RandomObject::list(const FieldType& type, int density, int depth) {
  std::vector<Value> items;
  for (uint64_t i = random_.below(4); i > 0; --i) items.push_back(single(type, density, depth));
  return Value::list(std::move(items));
}

Value RandomObject::single(const FieldType& type, int density, int depth) {
  return type.object ? object(*type.object, density, depth) : scalar(type.scalar);
}

std::string RandomObject::text() {
  static constexpr std::array<std::string_view, 8> kTexts{
      "", "a", "web-1", "grüße", "a longer text with blanks", "\"quoted\"", "line\nbreak", "10.0.0.1"};
  return std::string(kTexts[random_.below(kTexts.size())]);
}

Value RandomObject::scalar(Scalar scalar) {
  static constexpr std::array<std::string_view, 10> kQuantities{
      "0", "1", "500m", "0.5", "1024Mi", "1.5Gi", "1e3", "128974848", "-2k", "3.0001"};
  Instant when{static_cast<int64_t>(random_.below(4'000'000'000)) * 1'000'000'000};
  switch (scalar) {
    case Scalar::string: return text();
    case Scalar::boolean: return chance(50);
    case Scalar::int32: return static_cast<int64_t>(random_.below(400)) - 100;
    case Scalar::int64: return static_cast<int64_t>(random_.below(1ULL << 40)) - 1000;
    case Scalar::number: return static_cast<double>(random_.below(1000)) / 8;
    case Scalar::bytes: return encode_base64(text());
    case Scalar::time: return format_time(when);
    case Scalar::micro_time: return format_micro_time(when + Duration(123'456'000));
    case Scalar::duration: return format_duration(Duration(static_cast<int64_t>(random_.below(1'000'000'000'000))));
    case Scalar::quantity: return kQuantities[random_.below(kQuantities.size())];
    case Scalar::int_or_string: return chance(50) ? Value(random_.below(100)) : Value("25%");
    case Scalar::raw:
    case Scalar::fields:
    case Scalar::json: return Value::object({{"f:x", Value::empty_object()}, {"n", random_.below(9)}});
    case Scalar::none: break;
  }
  return nullptr;
}

}  // namespace orch::schema
