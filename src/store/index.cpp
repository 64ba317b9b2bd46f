#include "store/index.h"

#include <algorithm>

namespace orch::store {

namespace {

constexpr size_t kRun = 256;  // a full run is split in two

bool before(const StoredPtr& object, std::string_view key) { return object->key < key; }

}  // namespace

void Index::assign(std::vector<StoredPtr> objects) {
  std::ranges::sort(objects, [](const auto& a, const auto& b) { return a->key < b->key; });
  runs_.clear();
  size_ = objects.size();
  constexpr size_t kFill = kRun * 3 / 4;
  for (size_t i = 0; i < objects.size(); i += kFill) {
    auto from = objects.begin() + static_cast<std::ptrdiff_t>(i);
    auto to = objects.begin() + static_cast<std::ptrdiff_t>(std::min(i + kFill, objects.size()));
    runs_.emplace_back(std::make_move_iterator(from), std::make_move_iterator(to));
  }
}

Index::Position Index::normal(size_t run, size_t offset) const {
  return offset < runs_[run].size() ? Position{run, offset} : Position{run + 1, 0};
}

Index::Position Index::lower_bound(std::string_view key) const {
  // The run before the first one that starts behind `key`.
  auto run = std::upper_bound(runs_.begin(), runs_.end(), key,
                              [](std::string_view k, const Run& r) { return k < r.front()->key; });
  if (run == runs_.begin()) return begin();
  --run;
  auto place = std::lower_bound(run->begin(), run->end(), key, before);
  return normal(static_cast<size_t>(run - runs_.begin()), static_cast<size_t>(place - run->begin()));
}

Index::Position Index::upper_bound(std::string_view key) const {
  Position position = lower_bound(key);
  if (position != end() && at(position)->key == key) position = next(position);
  return position;
}

Index::Position Index::prefix_end(std::string_view prefix) const {
  std::string successor(prefix);
  while (!successor.empty() && static_cast<unsigned char>(successor.back()) == 0xff) {
    successor.pop_back();
  }
  if (successor.empty()) return end();
  successor.back() = static_cast<char>(static_cast<unsigned char>(successor.back()) + 1);
  return lower_bound(successor);
}

size_t Index::distance(Position from, Position to) const {
  if (to <= from) return 0;
  if (from.run == to.run) return to.offset - from.offset;
  size_t total = runs_[from.run].size() - from.offset + to.offset;
  for (size_t run = from.run + 1; run < to.run; ++run) total += runs_[run].size();
  return total;
}

StoredPtr Index::find(std::string_view key) const {
  Position position = lower_bound(key);
  if (position == end() || at(position)->key != key) return nullptr;
  return at(position);
}

StoredPtr Index::neighbour(std::string_view key) const {
  if (runs_.empty()) return nullptr;
  Position position = lower_bound(key);
  if (position != begin()) {
    return position.offset > 0 ? runs_[position.run][position.offset - 1]
                               : runs_[position.run - 1].back();
  }
  return at(position);
}

void Index::put(StoredPtr object) {
  if (runs_.empty()) {
    runs_.emplace_back().push_back(std::move(object));
    size_ = 1;
    return;
  }
  auto run = std::upper_bound(runs_.begin(), runs_.end(), std::string_view(object->key),
                              [](std::string_view k, const Run& r) { return k < r.front()->key; });
  if (run != runs_.begin()) --run;
  auto place = std::lower_bound(run->begin(), run->end(), std::string_view(object->key), before);
  if (place != run->end() && (*place)->key == object->key) {
    *place = std::move(object);
    return;
  }
  run->insert(place, std::move(object));
  ++size_;
  if (run->size() < kRun) return;
  auto middle = run->begin() + kRun / 2;
  Run tail(std::make_move_iterator(middle), std::make_move_iterator(run->end()));
  run->erase(middle, run->end());
  runs_.insert(run + 1, std::move(tail));
}

void Index::erase(std::string_view key) {
  Position position = lower_bound(key);
  if (position == end() || at(position)->key != key) return;
  Run& run = runs_[position.run];
  run.erase(run.begin() + static_cast<std::ptrdiff_t>(position.offset));
  --size_;
  auto it = runs_.begin() + static_cast<std::ptrdiff_t>(position.run);
  if (run.empty()) {
    runs_.erase(it);
  } else if (it + 1 != runs_.end() && run.size() + (it + 1)->size() <= kRun / 2) {
    run.insert(run.end(), std::make_move_iterator((it + 1)->begin()),
               std::make_move_iterator((it + 1)->end()));
    runs_.erase(it + 1);
  }
}

}  // namespace orch::store
