#include "client/informers.h"

#include "plan/core/object.h"

namespace orch::client {

Informers::Informers(loop::Loop& loop, ApiPort& api, Logger logger)
    : loop_(loop), api_(api), logger_(std::move(logger)), scope_(loop) {}

void Informers::add(const plan::Snapshot::KnownType& known) {
  for (const auto& other : snapshot_.known_types())
    if (other.type.same(known.type)) return;
  auto keep = [this](std::string_view text) -> std::string_view {
    texts_.push_back(std::make_unique<std::string>(text));
    return *texts_.back();
  };
  plan::Snapshot::KnownType kept = known;
  kept.type.group = keep(known.type.group);
  kept.type.version = keep(known.type.version);
  kept.type.resource = keep(known.type.resource);
  kept.type.kind = keep(known.type.kind);
  plan::ObjectTable& table = snapshot_.add_type(kept);
  if (!kept.watched) return;
  auto told = [this](const plan::Type& type, const Value& old, const Value& now) { tell(type, old, now); };
  informers_.push_back(std::make_unique<Informer>(loop_, api_, kept.type, table, logger_, told));
}

void Informers::start() {
  for (auto& informer : informers_) scope_.spawn(informer->run());
}

bool Informers::is_synced() const {
  for (const auto& informer : informers_)
    if (!informer->is_synced()) return false;
  return true;
}

loop::Task<void> Informers::wait_synced() {
  for (size_t i = 0; i < informers_.size(); ++i) co_await informers_[i]->synced().wait();
}

void Informers::tell(const plan::Type& type, const Value& old, const Value& now) {
  for (auto& listener : listeners_) listener(type, old, now);
}

void Informers::absorb(const plan::Ref& ref, const Value& result, const std::string& removed_uid) {
  for (auto& informer : informers_) {
    const plan::Type& type = informer->type();
    if (type.resource != ref.resource || type.group != ref.group) continue;
    if (!plan::uid_of(result).empty()) {  // a Status has none
      informer->absorb(result);
    } else {
      informer->absorb_removal(ref.ns, ref.name, removed_uid);
    }
  }
}

}  // namespace orch::client
