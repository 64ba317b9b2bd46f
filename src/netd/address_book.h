#pragma once
// AddressBook: which pod of this node has which address, kept in files so that it survives restarts:
//
//   <directory>/node.json        {"podCIDR": "10.42.0.0/24"}: the node's range, needed before the API answers
//   <directory>/pods/<uid>.json  {"ip", "namespace", "name", "hostPorts"}: one for each attached pod
//
// What is taken is what the files say: nothing can leak. The book itself is memory; its text for a file is written, and the
// file removed, by whoever does blocking work (save, erase). A file that a power cut left empty is as good as none: the pods
// it was for are gone, too.

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/ip.h"
#include "base/result.h"
#include "runtime/pod_network.h"

namespace orch::netd {

struct BookEntry {
  Ip ip;
  std::string ns, name;
  std::vector<runtime::HostPort> host_ports;
};

class AddressBook {
 public:
  // Blocking. Makes the directory where there is none.
  static Result<AddressBook> open(std::string directory);

  const std::optional<Cidr>& range() const { return range_; }
  // Blocking: written durably before it counts.
  Result<void> set_range(const Cidr& range);

  // The pod's address: the one it has, or a free one, not one that was given back just now. Code::unavailable when all are
  // taken or there is no range.
  Result<Ip> take(const std::string& uid, const std::string& ns, const std::string& name,
                  std::vector<runtime::HostPort> host_ports);
  const BookEntry* find(const std::string& uid) const;
  void give_back(const std::string& uid);
  const std::map<std::string, BookEntry>& entries() const { return entries_; }

  // Blocking, without touching the book: for worker threads.
  static Result<void> save(const std::string& directory, const std::string& uid, const BookEntry& entry);
  static Result<void> erase(const std::string& directory, const std::string& uid);
  const std::string& directory() const { return directory_; }

 private:
  explicit AddressBook(std::string directory) : directory_(std::move(directory)) {}
  Result<void> load_pods();
  std::string directory_;
  std::optional<Cidr> range_;
  std::map<std::string, BookEntry> entries_;  // by uid
  uint32_t last_ = 0;                         // the address given out last, as a number
};

// The first address of the range: the node's own, the gateway of its pods.
Ip gateway_of(const Cidr& range);

}  // namespace orch::netd
