#pragma once
// The spelling of label keys and values (k8s.io/apimachinery/pkg/util/validation). Each function
// returns what is wrong with the text, in Kubernetes' words; nothing: it is fine.

#include <string>
#include <string_view>
#include <vector>

namespace orch {

std::vector<std::string> qualified_name_problems(std::string_view text);  // "[prefix/]name"
std::vector<std::string> label_value_problems(std::string_view text);
std::vector<std::string> dns_subdomain_problems(std::string_view text);

}  // namespace orch
