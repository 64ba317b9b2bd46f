#include "cli/describe_text.h"

#include <array>
#include <ctime>

#include "base/text.h"
#include "cli/apply_patch.h"
#include "cli/tab_writer.h"
#include "data/json.h"

namespace orch::cli {

std::string lay_out(const std::string& text) {
  TabWriter writer = TabWriter::for_describe();
  writer.write(text);
  return writer.flush();
}

std::string shown_scalar(const Value& value) {
  if (value.is_null()) return "";
  return value.is_string() ? std::string(value.as_string()) : format_json(value);
}

std::string shown_list(const Value& list) {
  std::vector<std::string> all;
  for (const Value& item : list.items()) all.push_back(shown_scalar(item));
  return all.empty() ? "<none>" : join(all, ",");
}

// RFC 1123 with a numeric zone, in UTC.
std::string shown_time(const Value& time) {
  auto parsed = parse_time(time.as_string());
  if (!parsed.ok()) return "<unset>";
  static constexpr std::array<const char*, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<const char*, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  std::time_t seconds = parsed.value().seconds();
  std::tm parts{};
  gmtime_r(&seconds, &parts);
  char text[64];
  std::snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d +0000",
                kDays[static_cast<size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<size_t>(parts.tm_mon)], parts.tm_year + 1900, parts.tm_hour,
                parts.tm_min, parts.tm_sec);
  return text;
}

std::string smart_label(std::string_view name) {
  std::string label;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool upper = name[i] >= 'A' && name[i] <= 'Z';
    const bool after_lower = i > 0 && name[i - 1] >= 'a' && name[i - 1] <= 'z';
    if (upper && after_lower) label += ' ';
    label += i == 0 ? to_upper(name.substr(0, 1))[0] : name[i];
  }
  for (std::string_view word : {"Api", "Uid", "Id", "Ip", "Url", "Cidr", "Os"}) {
    if (label == word || label.starts_with(std::string(word) + " ")) {
      label.replace(0, word.size(), to_upper(word));
    }
  }
  return label;
}

std::string describe_head(const Value& object) {
  const Value& metadata = object["metadata"];
  std::string text = "Name:\t" + shown_scalar(metadata["name"]) + "\n";
  if (metadata.has("namespace")) text += "Namespace:\t" + shown_scalar(metadata["namespace"]) + "\n";
  return text;
}

std::string describe_labels(std::string_view title, const Value& labels) {
  const bool annotations = title == "Annotations";
  std::string text = std::string(title) + ":\t";
  bool first = true;
  for (const Member& label : labels.members()) {
    if (annotations && label.name() == kLastApplied) continue;
    if (!first) text += "\t";
    first = false;
    std::string value(label.value.as_string());
    text += std::string(label.name()) + (annotations ? ": " : "=") + replace_all(trim(value), "\n", "\n\t  ") + "\n";
  }
  return first ? text + "<none>\n" : text;
}

std::string describe_conditions(const Value& conditions, const std::vector<std::string>& columns) {
  if (conditions.empty()) return "";
  std::string text = "Conditions:\n  " + join(columns, "\t") + "\n ";
  for (const std::string& column : columns) {
    text += (&column == &columns.front() ? " " : "\t") + std::string(column.size(), '-');
  }
  text += "\n";
  for (const Value& condition : conditions.items()) {
    text += "  ";
    for (const std::string& column : columns) {
      if (&column != &columns.front()) text += "\t";
      std::string name = to_lower(column.substr(0, 1)) + column.substr(1);
      text += column.ends_with("Time") ? shown_time(condition[name]) : shown_scalar(condition[name]);
    }
    text += "\n";
  }
  return text;
}

std::string describe_tree(const Value& object, size_t indent) {
  std::string text;
  const std::string margin(indent, ' ');
  for (const Member& member : object.members()) {
    std::string label = margin + smart_label(member.name()) + ":";
    if (member.value.is_object()) {
      if (!member.value.empty()) text += label + "\n" + describe_tree(member.value, indent + 2);
    } else if (member.value.is_list()) {
      text += label + "\n";
      for (const Value& item : member.value.items()) {
        text += item.is_object() ? describe_tree(item, indent + 2)
                                 : margin + "  " + shown_scalar(item) + "\n";
      }
    } else {
      text += label + "\t" + replace_all(shown_scalar(member.value), "\n", "\n" + margin + "\t") + "\n";
    }
  }
  return text;
}

}  // namespace orch::cli
