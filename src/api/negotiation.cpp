#include "api/negotiation.h"

#include <algorithm>
#include <charconv>

#include "base/text.h"
#include "data/json.h"
#include "data/yaml.h"
#include "schema/codec_envelope.h"

namespace orch::api {

namespace {

constexpr std::string_view kProtobuf = "application/vnd.kubernetes.protobuf";

Result<Format> format_of(std::string_view type) {
  if (type == "application/json" || type == "*/*" || type == "application/*") return Format::json;
  if (type == "application/yaml") return Format::yaml;
  if (type == kProtobuf) return Format::protobuf;
  return Error::make(Code::not_acceptable, "");
}

// nullopt: a form this server does not have.
std::optional<Shape> shape_of(const MediaRange& range) {
  std::string_view as = range.parameter("as");
  if (as.empty()) return Shape::object;
  if (range.parameter("g") != "meta.k8s.io" || range.parameter("v") != "v1") return std::nullopt;
  if (as == "Table") return Shape::table;
  if (as == "PartialObjectMetadata") return Shape::partial;
  if (as == "PartialObjectMetadataList") return Shape::partial_list;
  return std::nullopt;
}

MediaRange parse_range(std::string_view text) {
  MediaRange range;
  bool first = true;
  for (std::string_view part : split(text, ';')) {
    part = trim(part);
    if (first) {
      range.type = to_lower(part);
      first = false;
    } else if (auto pair = split_once(part, '=')) {
      std::string name = to_lower(trim(pair->first));
      std::string_view value = trim(pair->second);
      if (name == "q") {
        std::from_chars(value.data(), value.data() + value.size(), range.quality);
      } else {
        range.parameters.emplace_back(std::move(name), std::string(value));
      }
    }
  }
  return range;
}

}  // namespace

std::string_view MediaRange::parameter(std::string_view name) const {
  auto found = std::ranges::find(parameters, name, &std::pair<std::string, std::string>::first);
  return found != parameters.end() ? std::string_view(found->second) : std::string_view();
}

std::vector<MediaRange> parse_accept(std::string_view header) {
  std::vector<MediaRange> ranges;
  for (std::string_view part : split(header, ',')) {
    if (!trim(part).empty()) ranges.push_back(parse_range(part));
  }
  std::ranges::stable_sort(ranges, std::greater<>(), &MediaRange::quality);
  return ranges;
}

Result<Accepted> negotiate(std::string_view accept) {
  std::vector<MediaRange> ranges = parse_accept(accept);
  if (ranges.empty()) return Accepted{};
  for (const MediaRange& range : ranges) {
    auto format = format_of(range.type);
    auto shape = shape_of(range);
    if (!format.ok() || !shape) continue;
    if (*shape == Shape::table && *format == Format::protobuf) continue;
    return Accepted{*format, *shape};
  }
  return Error::make(Code::not_acceptable,
                     "only the following media types are accepted: application/json, application/yaml, " +
                         std::string(kProtobuf));
}

std::string content_type(const wire::Request& request) {
  std::string_view header = request.headers.get("Content-Type");
  if (header.empty()) return "application/json";
  return to_lower(trim(split(header, ';').front()));
}

Result<Decoded> decode_body(std::string_view media_type, std::string_view body, const schema::Registry& registry) {
  Decoded decoded;
  JsonOptions options;
  options.duplicates = &decoded.duplicates;
  if (media_type == "application/json") {
    TRY(decoded.value, parse_json(body, options));
  } else if (media_type == "application/yaml") {
    TRY(decoded.value, parse_yaml_document(body, options));
  } else if (media_type == kProtobuf) {
    TRY(decoded.value, schema::decode_envelope(registry, body));
  } else {
    return Error::make(Code::unsupported_media_type,
                       "the body of the request was in an unknown format - accepted media types include: "
                       "application/json, application/yaml, " +
                           std::string(kProtobuf));
  }
  return decoded;
}

}  // namespace orch::api
