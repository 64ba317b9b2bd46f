#include "data/image_reference.h"

#include <catch2/catch_test_macros.hpp>

namespace orch {
namespace {

const std::string kDigest = "sha256:" + std::string(64, 'a');

TEST_CASE("image names are completed as docker completes them") {
  const std::pair<std::string, std::string> cases[] = {
      {"busybox", "docker.io/library/busybox:latest"},
      {"busybox:1.36", "docker.io/library/busybox:1.36"},
      {"docker.io/busybox", "docker.io/library/busybox:latest"},
      {"index.docker.io/library/busybox", "docker.io/library/busybox:latest"},
      {"user/app", "docker.io/user/app:latest"},
      {"localhost/app", "localhost/app:latest"},
      {"localhost:5000/app:v1", "localhost:5000/app:v1"},
      {"localhost:5000/a/b-c__d.e", "localhost:5000/a/b-c__d.e:latest"},
      {"[::1]:5000/app", "[::1]:5000/app:latest"},
      {"r.example.org/app", "r.example.org/app:latest"},
      {"Registry/app", "Registry/app:latest"},
      {"busybox@" + kDigest, "docker.io/library/busybox@" + kDigest},
      {"busybox:1@" + kDigest, "docker.io/library/busybox:1@" + kDigest},
      {"a--b", "docker.io/library/a--b:latest"},
      {"x:" + std::string(128, 't'), "docker.io/library/x:" + std::string(128, 't')},
  };
  for (const auto& [text, expected] : cases) {
    INFO(text);
    auto parsed = parse_image_reference(text);
    REQUIRE(parsed.ok());
    CHECK(parsed->text() == expected);
    CHECK(parse_image_reference(parsed->text()).value() == *parsed);
  }
}

TEST_CASE("what is no image name is refused in the words of the reference library") {
  for (const std::string& text :
       {std::string(), std::string("a b"), std::string(":tag"), std::string("a:"), std::string("a::b"), std::string("-a"),
        std::string("a-"), std::string("a//b"), std::string("a/"), std::string("/a"), std::string("a..b"), std::string("a___b"),
        std::string("a._b"), std::string("x:-t"), std::string("x:") + std::string(129, 't'), std::string("http://r/x"),
        std::string("localhost:port/x"), std::string("[::1/x"), std::string("x@sha256:abc"), std::string("x@" + kDigest + "0"),
        std::string("x@") + kDigest + "@" + kDigest, std::string("x\0y", 3), std::string("é")}) {
    INFO(text);
    auto parsed = parse_image_reference(text);
    REQUIRE_FALSE(parsed.ok());
    CHECK(parsed.error().is(Code::invalid));
    CHECK(parsed.error().message().starts_with("invalid reference format"));
  }
  CHECK(parse_image_reference("docker.io/Busy").error().message() ==
        "invalid reference format: repository name must be lowercase");
  CHECK(parse_image_reference("x@sha512:" + std::string(128, 'a')).error().message() ==
        "invalid reference format: unsupported digest algorithm");
  CHECK_FALSE(parse_image_reference(std::string(300, 'a')).ok());
}

}  // namespace
}  // namespace orch
