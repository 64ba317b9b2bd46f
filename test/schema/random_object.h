#pragma once
// Random objects of the right shape, made from the schema graph itself: fields of every kind come
// up, absent and present, zero and not. Not valid (names and formats are not looked at): for
// properties of the codecs, of pruning and of defaulting.

#include <string>

#include "base/random.h"
#include "schema/graph.h"

namespace orch::schema {

class RandomObject {
 public:
  explicit RandomObject(uint64_t seed) : random_(seed) {}
  // `density`: of 100 fields, how many are there (less further down).
  Value object(const Type& type, int density = 60, int depth = 0);

 private:
  Value field(const Field& field, int density, int depth);
  Value single(const FieldType& type, int density, int depth);
  Value scalar(Scalar scalar);
  Value list(const FieldType& type, int density, int depth);
  std::string text();
  bool chance(int percent) { return random_.below(100) < static_cast<uint64_t>(percent); }
  SeededRandom random_;
};

}  // namespace orch::schema
