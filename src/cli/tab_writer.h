#pragma once
// Elastic columns in text, as Go's text/tabwriter lays them out, which kubectl prints everything with:
// cells end in a tab, the last one of a line in a newline; a column is a run of lines that have that
// cell, and is as wide as the widest. Pure.

#include <string>
#include <string_view>
#include <vector>

namespace orch::cli {

class TabWriter {
 public:
  TabWriter(size_t min_width, size_t padding) : min_width_(min_width), padding_(padding) {}
  void write(std::string_view text);  // with \t and \n
  // What was written since the last flush, laid out. The first columns never get narrower than those
  // of earlier flushes where `remember`.
  std::string flush(bool remember = false);

  static TabWriter for_tables() { return TabWriter(6, 3); }     // kubectl get
  static TabWriter for_describe() { return TabWriter(0, 2); }   // kubectl describe

 private:
  using Line = std::vector<std::string>;
  void format(std::vector<size_t>& widths, size_t first, size_t last, std::string& out);
  void write_lines(const std::vector<size_t>& widths, size_t first, size_t last, std::string& out) const;

  size_t min_width_, padding_;
  std::vector<Line> lines_ = {{""}};
  std::vector<size_t> remembered_;
  bool remember_ = false;
};

size_t display_width(std::string_view text);  // code points

}  // namespace orch::cli
