#pragma once
// Small helpers on text and bytes.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace orch {

std::vector<std::string_view> split(std::string_view text, char separator);  // "" -> {""}
// The part before and after the first separator; nullopt where there is none.
std::optional<std::pair<std::string_view, std::string_view>> split_once(std::string_view text,
                                                                        char separator);
std::string join(std::span<const std::string> parts, std::string_view separator);
std::string_view trim(std::string_view text);  // ASCII white space at both ends
std::string to_lower(std::string_view text);   // ASCII
std::string to_upper(std::string_view text);   // ASCII
bool equals_ignore_case(std::string_view a, std::string_view b);  // ASCII
std::string replace_all(std::string_view text, std::string_view from, std::string_view to);
// Go's %q: double quotes and backslash escapes.
std::string quote(std::string_view text);
bool is_valid_utf8(std::string_view text);
std::string to_valid_utf8(std::string_view text);  // each invalid byte becomes U+FFFD

std::optional<int64_t> parse_int(std::string_view text);    // whole text, decimal, sign allowed
std::optional<uint64_t> parse_uint(std::string_view text);  // whole text, decimal

std::string encode_base64(std::string_view bytes);      // RFC 4648 section 4, padded
Result<std::string> decode_base64(std::string_view text);
std::string encode_base64url(std::string_view bytes);   // RFC 4648 section 5, without padding
Result<std::string> decode_base64url(std::string_view text);  // padding accepted
std::string encode_hex(std::string_view bytes);

// Percent encoding (RFC 3986). `plus_is_space` for query strings.
Result<std::string> decode_percent(std::string_view text, bool plus_is_space);
std::string encode_percent(std::string_view text);  // everything but unreserved characters

}  // namespace orch
