#include "steps/step.h"

#include <cinttypes>
#include <cstdio>

#include "base/text.h"
#include "steps/reader.h"

namespace orch::steps {

namespace {

template <class T>
void append(std::string& out, const T& value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

std::vector<std::string_view> names(std::string_view columns) {
  if (columns.empty()) return {};
  return split(columns, ' ');
}

bool takes_any(std::string_view columns) { return columns.ends_with("..."); }

bool fits(std::string_view columns, size_t count) {
  const size_t named = names(columns).size();
  return takes_any(columns) ? count + 1 >= named : count == named;
}

std::string_view name_of(const std::vector<std::string_view>& columns, size_t index) {
  std::string_view name = columns[std::min(index, columns.size() - 1)];
  if (name.ends_with("...")) name.remove_suffix(3);
  return name;
}

std::string number_text(uint64_t value) {
  char text[24];
  // Flags and capability sets read best in hexadecimal, ids and sizes in decimal: small ones are ids.
  std::snprintf(text, sizeof text, value > 0xffff ? "0x%" PRIx64 : "%" PRIu64, value);
  return text;
}

}  // namespace

std::string encode_steps(const Steps& steps) {
  std::string out;
  for (const Step& step : steps) {
    StepHead head;
    head.op = static_cast<uint16_t>(step.op);
    head.tolerated = step.tolerated;
    head.numbers = static_cast<uint8_t>(step.numbers.size());
    head.texts = static_cast<uint32_t>(step.texts.size());
    append(out, head);
    for (uint64_t number : step.numbers) append(out, number);
    for (const std::string& text : step.texts) {
      append(out, static_cast<uint32_t>(text.size()));
      out += text;
      out += '\0';
    }
  }
  return out;
}

Result<Steps> decode_steps(std::string_view bytes) {
  Steps steps;
  StepReader reader(bytes);
  StepView view;
  while (!reader.at_end()) {
    if (!reader.next(view)) return Error::make(Code::parse, "step " + std::to_string(steps.size()) + " is damaged");
    Step step{view.op(), {}, {}, view.tolerated()};
    for (size_t i = 0; i < view.numbers(); ++i) step.numbers.push_back(view.number(i));
    view.each_text(0, [&step](std::string_view text) { step.texts.emplace_back(text); });
    steps.push_back(std::move(step));
  }
  return steps;
}

Result<void> check_steps(const Steps& steps) {
  for (const Step& step : steps) {
    const OpInfo& op = info(step.op);
    if (!fits(op.numbers, step.numbers.size()) || !fits(op.texts, step.texts.size()) || step.numbers.size() > 255) {
      return Error::make(Code::internal, "a step has the wrong operands: " + std::string(op.name));
    }
    for (const std::string& text : step.texts) {
      if (step.op != Op::seccomp && step.op != Op::device_filter && text.find('\0') != std::string::npos) {
        return Error::make(Code::invalid, std::string(op.name) + ": a NUL byte in " + quote(text));
      }
    }
  }
  return {};
}

std::string format_step(const Step& step) {
  const OpInfo& op = info(step.op);
  std::string line = step.tolerated ? "?" : "";
  line += op.name;
  const auto number_names = names(op.numbers);
  for (size_t i = 0; i < step.numbers.size() && !number_names.empty(); ++i) {
    line += ' ' + std::string(name_of(number_names, i)) + '=';
    line += step.op == Op::oom_score ? std::to_string(static_cast<int64_t>(step.numbers[i])) : number_text(step.numbers[i]);
  }
  const auto text_names = names(op.texts);
  for (size_t i = 0; i < step.texts.size() && !text_names.empty(); ++i) {
    line += ' ' + std::string(name_of(text_names, i)) + '=';
    const bool bytes = step.op == Op::seccomp || (step.op == Op::device_filter && i == 1);
    line += bytes ? std::to_string(step.texts[i].size()) + " bytes" : quote(step.texts[i]);
  }
  return line;
}

std::string format_steps(const Steps& steps) {
  std::string text;
  for (const Step& step : steps) text += format_step(step) + '\n';
  return text;
}

}  // namespace orch::steps
