#include "data/path.h"

#include <catch2/catch_test_macros.hpp>

namespace orch {
namespace {

TEST_CASE("a field path reads like a path in Kubernetes' causes") {
  FieldPath root;
  CHECK(root.text() == "");
  FieldPath spec = root.child("spec");
  FieldPath containers = spec.child("containers");
  FieldPath first = containers.index(0);
  CHECK(first.child("name").text() == "spec.containers[0].name");
  CHECK(spec.child("selector").key("a/b").text() == "spec.selector[a/b]");
  CHECK(root.index(12).text() == "[12]");
}

TEST_CASE("a JSON pointer is split at slashes and its escapes are undone") {
  using Keys = std::vector<std::string>;
  CHECK(*parse_json_pointer("") == Keys{});
  CHECK(*parse_json_pointer("/") == Keys{""});
  CHECK(*parse_json_pointer("/a~1b/0") == Keys{"a/b", "0"});
  CHECK(*parse_json_pointer("/~01") == Keys{"~1"});
  CHECK(*parse_json_pointer("/a//-") == Keys{"a", "", "-"});
}

TEST_CASE("a JSON pointer without its slash or with half an escape is refused") {
  for (std::string_view text : {"a", "a/b", "/~", "/~2", "/a~/b"}) {
    INFO(text);
    auto result = parse_json_pointer(text);
    REQUIRE(!result);
    CHECK(result.error().is(Code::parse));
  }
}

TEST_CASE("relaxed paths get their braces and dot") {
  CHECK(*relaxed_json_path("metadata.name") == "{.metadata.name}");
  CHECK(*relaxed_json_path(".metadata.name") == "{.metadata.name}");
  CHECK(*relaxed_json_path("{metadata.name}") == "{.metadata.name}");
  CHECK(*relaxed_json_path("{.metadata.name}") == "{.metadata.name}");
  CHECK(*relaxed_json_path("") == "");
  for (std::string_view text : {"{.a", ".a}", "{a}{b}", "{}"}) {
    INFO(text);
    auto result = relaxed_json_path(text);
    REQUIRE(!result);
    CHECK(result.error().message() ==
          "unexpected path string, expected a 'name1.name2' or '.name1.name2' or '{name1.name2}' "
          "or '{.name1.name2}'");
  }
}

}  // namespace
}  // namespace orch
