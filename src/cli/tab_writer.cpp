#include "cli/tab_writer.h"

#include <algorithm>

namespace orch::cli {

size_t display_width(std::string_view text) {
  return static_cast<size_t>(std::ranges::count_if(
      text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

void TabWriter::write(std::string_view text) {
  for (char c : text) {
    if (c == '\t') {
      lines_.back().emplace_back();
    } else if (c == '\n') {
      lines_.push_back({""});
    } else {
      lines_.back().back() += c;
    }
  }
}

std::string TabWriter::flush(bool remember) {
  remember_ = remember;
  std::string out;
  std::vector<size_t> widths;
  format(widths, 0, lines_.size(), out);
  lines_.assign(1, Line{""});
  return out;
}

void TabWriter::write_lines(const std::vector<size_t>& widths, size_t first, size_t last,
                            std::string& out) const {
  for (size_t i = first; i < last; ++i) {
    for (size_t j = 0; j < lines_[i].size(); ++j) {
      out += lines_[i][j];
      if (j < widths.size()) out.append(widths[j] - std::min(widths[j], display_width(lines_[i][j])), ' ');
    }
    if (i + 1 < lines_.size()) out += '\n';
  }
}

void TabWriter::format(std::vector<size_t>& widths, size_t first, size_t last, std::string& out) {
  const size_t column = widths.size();
  for (size_t line = first; line < last; ++line) {
    if (column + 1 >= lines_[line].size()) continue;
    write_lines(widths, first, line, out);
    first = line;
    size_t width = min_width_;
    if (remember_ && column < remembered_.size()) width = std::max(width, remembered_[column]);
    while (line < last && column + 1 < lines_[line].size()) {
      width = std::max(width, display_width(lines_[line][column]) + padding_);
      ++line;
    }
    if (remember_) {
      if (column >= remembered_.size()) remembered_.resize(column + 1, 0);
      remembered_[column] = width;
    }
    widths.push_back(width);
    format(widths, first, line, out);
    widths.pop_back();
    first = line;
  }
  write_lines(widths, first, last, out);
}

}  // namespace orch::cli
