#pragma once
// FaultyPort: an API that at times answers an update with a conflict though there is none, and whose watches are lost:
// they end (resume), or have forgotten (410: list again). Everybody has to bear both, for a real one does them too.

#include <memory>

#include "base/random.h"
#include "client/api_port.h"

namespace orch::test {

struct PortFaults {
  double conflicts = 0;      // share of updates
  double lost_watches = 0;   // share of deliveries before which the watch ends
};

class FaultyPort final : public client::ApiPort {
 public:
  FaultyPort(client::ApiPort& port, Random& random, PortFaults faults) : port_(port), random_(random), faults_(faults) {}

  loop::Task<Value> get(client::Target target) override { return port_.get(std::move(target)); }
  loop::Task<client::ListResult> list(client::Target target, client::ListOptions options) override {
    return port_.list(std::move(target), std::move(options));
  }
  loop::Task<std::unique_ptr<client::WatchStream>> watch(client::Target target, client::WatchOptions options) override {
    std::unique_ptr<client::WatchStream> inner = co_await port_.watch(std::move(target), std::move(options));
    std::unique_ptr<client::WatchStream> lossy = std::make_unique<LossyWatch>(*this, std::move(inner));
    co_return std::move(lossy);
  }
  loop::Task<Value> create(client::Target target, Value object, client::WriteOptions options) override {
    return port_.create(std::move(target), std::move(object), std::move(options));
  }
  loop::Task<Value> update(client::Target target, Value object, client::WriteOptions options) override {
    if (chance(faults_.conflicts)) return refuse();
    return port_.update(std::move(target), std::move(object), std::move(options));
  }
  loop::Task<Value> patch(client::Target target, client::PatchType type, Value patch, client::WriteOptions options) override {
    return port_.patch(std::move(target), type, std::move(patch), std::move(options));
  }
  loop::Task<Value> remove(client::Target target, client::RemoveOptions options) override {
    return port_.remove(std::move(target), std::move(options));
  }
  loop::Task<Value> remove_collection(client::Target target, client::ListOptions which, client::RemoveOptions options) override {
    return port_.remove_collection(std::move(target), std::move(which), std::move(options));
  }

  size_t conflicts() const { return conflicts_; }
  size_t lost() const { return lost_; }

 private:
  class LossyWatch final : public client::WatchStream {
   public:
    LossyWatch(FaultyPort& port, std::unique_ptr<client::WatchStream> inner) : port_(port), inner_(std::move(inner)) {}
    loop::Task<std::vector<client::WatchEvent>> next() override {
      std::vector<client::WatchEvent> events = co_await inner_->next();
      if (port_.chance(port_.faults_.lost_watches)) {  // with what it was about to bring
        ++port_.lost_;
        const Code code = port_.random_.below(2) == 0 ? Code::closed : Code::gone;
        co_await loop::fail(Error::make(code, "injected: the watch is lost"));
      }
      co_return std::move(events);
    }

   private:
    FaultyPort& port_;
    std::unique_ptr<client::WatchStream> inner_;
  };

  bool chance(double share) { return static_cast<double>(random_.below(1'000'000)) < share * 1e6; }
  loop::Task<Value> refuse() {
    ++conflicts_;
    co_await loop::fail(Error::make(Code::conflict, "injected: the object has been modified"));
    co_return Value();
  }

  client::ApiPort& port_;
  Random& random_;
  PortFaults faults_;
  size_t conflicts_ = 0, lost_ = 0;
};

}  // namespace orch::test
