// Pull secrets and registries.yaml: no input does harm; who is left can log in.

#include <cstdint>
#include <cstdlib>

#include "runtime/images/docker_config.h"
#include "runtime/images/registries.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace orch::runtime::images;
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto image = orch::parse_image_reference("r.example.org:5000/a/b");
  auto all = parse_docker_config(text);
  if (all.ok()) {
    for (const auto& one : *all) {
      if (one.username.empty() && one.identity_token.empty() && one.registry_token.empty()) std::abort();
    }
    if (credentials_for(*image, *all).size() > all->size()) std::abort();
  }
  auto registries = parse_registries(text);
  if (registries.ok() && hosts_for(*registries, *image).empty()) std::abort();
  return 0;
}
