#include "schema/formats.h"

#include <algorithm>
#include <array>

#include "base/ip.h"
#include "base/text.h"
#include "data/quantity.h"

namespace orch::schema {

namespace {

bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alpha(char c) { return is_lower(c) || (c >= 'A' && c <= 'Z'); }
bool is_lower_or_digit(char c) { return is_lower(c) || is_digit(c); }

std::string too_long(int limit) { return "must be no more than " + std::to_string(limit) + " characters"; }

bool is_dns_label(std::string_view text) {
  return !text.empty() && is_lower_or_digit(text.front()) && is_lower_or_digit(text.back()) &&
         std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; });
}

void add_dots_problems(std::string_view text, Problems& problems) {
  if (text == ".") problems.emplace_back("must not be '.'");
  else if (text == "..") problems.emplace_back("must not be '..'");
  else if (text.starts_with("..")) problems.emplace_back("must not start with '..'");
}

bool has_backsteps(std::string_view text) {
  auto parts = split(text, '/');
  return std::ranges::find(parts, "..") != parts.end();
}

}  // namespace

std::string regex_problem(std::string_view message, std::string_view regex,
                          std::initializer_list<std::string_view> examples) {
  std::string text(message);
  text += " (";
  if (examples.size() > 0) text += "e.g. ";
  bool first = true;
  for (std::string_view example : examples) {
    if (!first) text += " or ";
    text.append("'").append(example).append("', ");
    first = false;
  }
  return text.append("regex used for validation is '").append(regex).append("')");
}

Problems dns_label_problems(std::string_view text) {
  Problems problems;
  if (text.size() > 63) problems.push_back(too_long(63));
  if (!is_dns_label(text)) {
    problems.push_back(dns_subdomain_problems(text).empty()
                           ? "must not contain dots"
                           : regex_problem("a lowercase RFC 1123 label must consist of lower case "
                                           "alphanumeric characters or '-', and must start and end "
                                           "with an alphanumeric character",
                                           "[a-z0-9]([-a-z0-9]*[a-z0-9])?", {"my-name", "123-abc"}));
  }
  return problems;
}

Problems dns1035_label_problems(std::string_view text) {
  Problems problems;
  if (text.size() > 63) problems.push_back(too_long(63));
  if (!is_dns_label(text) || !is_lower(text.front())) {
    problems.push_back(regex_problem(
        "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an "
        "alphabetic character, and end with an alphanumeric character",
        "[a-z]([-a-z0-9]*[a-z0-9])?", {"my-name", "abc-123"}));
  }
  return problems;
}

Problems wildcard_subdomain_problems(std::string_view text) {
  Problems problems;
  if (text.size() > 253) problems.push_back(too_long(253));
  bool fine = text.starts_with("*.") &&
              std::ranges::all_of(split(text.substr(2), '.'), is_dns_label);
  if (!fine) {
    problems.push_back(regex_problem(
        "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, "
        "which must consist of lower case alphanumeric characters, '-' or '.' and end with an "
        "alphanumeric character",
        "\\*\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*", {"*.example.com"}));
  }
  return problems;
}

Problems config_key_problems(std::string_view text) {
  Problems problems;
  if (text.size() > 253) problems.push_back(too_long(253));
  bool fine = !text.empty() && std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '-' || c == '.' || c == '_';
  });
  if (!fine) {
    problems.push_back(regex_problem(
        "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
        "[-._a-zA-Z0-9]+", {"key.name", "KEY_NAME", "key-name"}));
  }
  add_dots_problems(text, problems);
  return problems;
}

Problems env_name_problems(std::string_view text) {
  if (text.empty()) return {"environment variable name must be non-empty"};
  if (std::ranges::all_of(text, [](char c) { return c >= ' ' && c <= '~' && c != '='; })) return {};
  return {"a valid environment variable name must consist only of printable ASCII characters other "
          "than '='"};
}

Problems port_name_problems(std::string_view text) {
  Problems problems;
  if (text.size() > 15) problems.push_back(too_long(15));
  if (text.empty() ||
      !std::ranges::all_of(text, [](char c) { return is_lower_or_digit(c) || c == '-'; })) {
    problems.emplace_back("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (std::ranges::none_of(text, is_lower)) problems.emplace_back("must contain at least one letter (a-z)");
  if (text.find("--") != text.npos) problems.emplace_back("must not contain consecutive hyphens");
  if (!text.empty() && (text.front() == '-' || text.back() == '-')) {
    problems.emplace_back("must not begin or end with a hyphen");
  }
  return problems;
}

Problems port_number_problems(int64_t number) {
  if (number >= 1 && number <= 65535) return {};
  return {"must be between 1 and 65535, inclusive"};
}

Problems path_segment_problems(std::string_view text) {
  if (text == ".") return {"may not be '.'"};
  if (text == "..") return {"may not be '..'"};
  Problems problems;
  if (text.find('/') != text.npos) problems.emplace_back("may not contain '/'");
  if (text.find('%') != text.npos) problems.emplace_back("may not contain '%'");
  return problems;
}

Problems ip_problems(std::string_view text) {
  if (parse_ip(text)) return {};
  return {"must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"};
}

Problems cidr_problems(std::string_view text) {
  if (parse_cidr(text)) return {};
  return {"must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"};
}

Problems percent_problems(std::string_view text) {
  bool fine = text.size() > 1 && text.back() == '%' &&
              std::ranges::all_of(text.substr(0, text.size() - 1), is_digit);
  if (fine) return {};
  return {regex_problem("a valid percent string must be a numeric string followed by an ending '%'",
                        "[0-9]+%", {"1%", "93%"})};
}

Problems http_header_problems(std::string_view text) {
  bool fine = !text.empty() &&
              std::ranges::all_of(text, [](char c) { return is_alpha(c) || is_digit(c) || c == '-'; });
  if (fine) return {};
  return {regex_problem("a valid HTTP header must consist of alphanumeric characters or '-'",
                        "[-A-Za-z0-9]+", {"X-Header-Name"})};
}

Problems relative_path_problems(std::string_view text) {
  Problems problems;
  if (text.starts_with('/')) problems.emplace_back("must be a relative path");
  if (has_backsteps(text)) problems.emplace_back("must not contain '..'");
  return problems;
}

// The names of the time zone database; whether a zone exists is known where its files are.
Problems timezone_problems(std::string_view text) {
  if (text.empty()) return {"timeZone must be nil or non-empty string"};
  if (equals_ignore_case(text, "local")) {
    return {"timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"};
  }
  bool fine = is_alpha(text.front()) && !has_backsteps(text) && std::ranges::all_of(text, [](char c) {
    return is_alpha(c) || is_digit(c) || c == '/' || c == '_' || c == '-' || c == '+';
  });
  if (fine) return {};
  return {"unknown time zone " + std::string(text)};
}

void add_problems(const Problems& problems, const FieldPath& path, const Value& value, Causes& causes) {
  for (const std::string& problem : problems) causes.invalid(path, value, problem);
}

NameCheck find_name_format(std::string_view name) {
  struct Entry {
    std::string_view name;
    NameCheck check;
  };
  static constexpr std::array<Entry, 4> kFormats{{{"dns-label", dns_label_problems},
                                                  {"dns1035-label", dns1035_label_problems},
                                                  {"dns-subdomain", dns_subdomain_problems},
                                                  {"path-segment", path_segment_problems}}};
  auto found = std::ranges::find(kFormats, name, &Entry::name);
  return found != kFormats.end() ? found->check : nullptr;
}

Problems name_problems(NameCheck check, std::string_view name, bool prefix) {
  std::string masked(name);
  // Something will follow a prefix, so that its last dash is not at the end.
  if (prefix && masked.size() > 1 && masked.ends_with('-')) masked.back() = 'a';
  if (prefix && check == path_segment_problems) {
    std::erase_if(masked, [](char c) { return c == '.'; });  // "." and ".." may begin a name
  }
  return check(masked);
}

void check_labels(const Value& labels, const FieldPath& path, Causes& causes) {
  for (const Member& label : labels.members()) {
    add_problems(qualified_name_problems(label.name()), path, Value(label.name()), causes);
    add_problems(label_value_problems(label.value.as_string()), path, label.value, causes);
  }
}

void check_annotations(const Value& annotations, const FieldPath& path, Causes& causes) {
  constexpr size_t kMax = 256 * 1024;
  size_t total = 0;
  for (const Member& annotation : annotations.members()) {
    add_problems(qualified_name_problems(to_lower(annotation.name())), path, Value(annotation.name()),
                 causes);
    total += annotation.name().size() + annotation.value.as_string().size();
  }
  if (total > kMax) causes.too_long(path, kMax);
}

namespace {

template <Problems (*Check)(std::string_view)>
void text_format(const Value& value, const FieldPath& path, Causes& causes) {
  if (value.is_string()) add_problems(Check(value.as_string()), path, value, causes);
}

Problems abs_path_problems(std::string_view text) {
  if (text.starts_with('/')) return {};
  return {"must be an absolute path"};
}

Problems backstep_problems(std::string_view text) {
  if (!has_backsteps(text)) return {};
  return {"must not contain '..'"};
}

Problems config_path_problems(std::string_view text) {
  Problems problems = relative_path_problems(text);
  if (problems.empty() && text.starts_with("..")) problems.emplace_back("must not start with '..'");
  return problems;
}

Problems domain_path_problems(std::string_view text) {
  auto parts = split_once(text, '/');
  if (!parts || parts->first.empty() || parts->second.empty()) {
    return {"must be a domain-prefixed path (such as \"acme.io/foo\")"};
  }
  Problems problems = dns_subdomain_problems(parts->first);
  bool fine = std::ranges::all_of(parts->second, [](char c) {
    return is_alpha(c) || is_digit(c) || std::string_view("/-._~%!$&'()*+,;=:").find(c) != std::string_view::npos;
  });
  if (!fine) problems.push_back(regex_problem("Invalid path", "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+", {}));
  return problems;
}

void csi_driver(const Value& value, const FieldPath& path, Causes& causes) {
  if (value.as_string().size() > 63) causes.too_long(path, 63);
  add_problems(dns_subdomain_problems(to_lower(value.as_string())), path, value, causes);
}

void quantity_nonnegative(const Value& value, const FieldPath& path, Causes& causes) {
  if (Quantity::from(value).sign() < 0) {
    causes.invalid(path, value, "must be greater than or equal to 0");
  }
}

void percent_or_int(const Value& value, const FieldPath& path, Causes& causes) {
  if (value.is_string()) {
    add_problems(percent_problems(value.as_string()), path, value, causes);
  } else if (value.as_int() < 0) {
    causes.invalid(path, value, "must be greater than or equal to 0");
  }
}

void port_or_name(const Value& value, const FieldPath& path, Causes& causes) {
  add_problems(value.is_string() ? port_name_problems(value.as_string())
                                 : port_number_problems(value.as_int()),
               path, value, causes);
}

void file_mode(const Value& value, const FieldPath& path, Causes& causes) {
  if (value.as_int() < 0 || value.as_int() > 0777) {
    causes.invalid(path, value, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

constexpr std::array<Format, 26> kFormats{{
    {"dns-label", text_format<dns_label_problems>},
    {"dns1035-label", text_format<dns1035_label_problems>},
    {"dns-subdomain", text_format<dns_subdomain_problems>},
    {"label-key", text_format<qualified_name_problems>},
    {"label-value", text_format<label_value_problems>},
    {"path-segment", text_format<path_segment_problems>},
    {"labels", check_labels, true},
    {"annotations", check_annotations, true},
    {"config-key", text_format<config_key_problems>},
    {"env-name", text_format<env_name_problems>},
    {"port-name", text_format<port_name_problems>},
    {"ip", text_format<ip_problems>},
    {"cidr", text_format<cidr_problems>},
    {"abs-path", text_format<abs_path_problems>},
    {"uri-path", text_format<abs_path_problems>},
    {"no-backsteps", text_format<backstep_problems>},
    {"relative-path", text_format<relative_path_problems>},
    {"config-path", text_format<config_path_problems>},
    {"domain-path", text_format<domain_path_problems>},
    {"cron", text_format<cron_problems>},
    {"timezone", text_format<timezone_problems>},
    {"csi-driver", csi_driver},
    {"quantity-nonnegative", quantity_nonnegative},
    {"percent-or-int", percent_or_int},
    {"port-or-name", port_or_name},
    {"file-mode", file_mode},
}};

}  // namespace

const Format* find_format(std::string_view name) {
  auto found = std::ranges::find(kFormats, name, &Format::name);
  return found != kFormats.end() ? &*found : nullptr;
}

}  // namespace orch::schema
