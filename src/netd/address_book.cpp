#include "netd/address_book.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <set>

#include "base/text.h"
#include "data/json.h"
#include "linux/raw.h"
#include "loop/files.h"

namespace orch::netd {

namespace {

constexpr std::string_view suffix = ".json";

uint32_t number_of(const Ip& ip) {
  return uint32_t{ip.bytes[0]} << 24 | uint32_t{ip.bytes[1]} << 16 | uint32_t{ip.bytes[2]} << 8 | ip.bytes[3];
}
Ip ip_of(uint32_t number) {
  Ip ip;
  for (int i = 0; i < 4; ++i) ip.bytes[static_cast<size_t>(i)] = static_cast<uint8_t>(number >> (24 - 8 * i));
  return ip;
}

std::string pod_file(const std::string& directory, const std::string& uid) {
  return directory + "/pods/" + uid + std::string(suffix);
}

std::string text_of(const BookEntry& entry) {
  std::vector<Value> ports;
  for (const runtime::HostPort& port : entry.host_ports)
    ports.push_back(Value::object({{"hostIP", port.host_ip},
                                   {"hostPort", int{port.host_port}},
                                   {"containerPort", int{port.container_port}},
                                   {"protocol", port.protocol}}));
  return format_json(Value::object({{"ip", format_ip(entry.ip)},
                                    {"namespace", entry.ns},
                                    {"name", entry.name},
                                    {"hostPorts", Value::list(std::move(ports))}}));
}

std::optional<BookEntry> parse_entry(std::string_view text) {
  auto parsed = parse_json(text);
  if (!parsed.ok()) return std::nullopt;
  const Value& value = *parsed;
  auto ip = parse_ip(value["ip"].as_string());
  if (!ip || ip->v6) return std::nullopt;
  BookEntry entry{*ip, std::string(value["namespace"].as_string()), std::string(value["name"].as_string()), {}};
  for (const Value& port : value["hostPorts"].items())
    entry.host_ports.push_back({std::string(port["hostIP"].as_string()), static_cast<uint16_t>(port["hostPort"].as_int()),
                                static_cast<uint16_t>(port["containerPort"].as_int()),
                                std::string(port["protocol"].as_string())});
  return entry;
}

Result<void> make_directory(const std::string& path) {
  for (size_t at = path.find('/', 1);; at = path.find('/', at + 1)) {
    const std::string part = path.substr(0, at);
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) return Error::from_errno(errno, "make " + part);
    if (at == std::string::npos) return {};
  }
}

}  // namespace

Ip gateway_of(const Cidr& range) { return ip_of(number_of(range.network()) + 1); }

Result<AddressBook> AddressBook::open(std::string directory) {
  TRY_VOID(make_directory(directory + "/pods"));
  AddressBook book(std::move(directory));
  auto text = loop::read_file_now(book.directory_ + "/node.json");
  if (!text.ok() && !text.error().is(Code::not_found)) return std::move(text).error();
  if (text.ok()) {
    auto parsed = parse_json(*text);
    if (parsed.ok()) book.range_ = parse_cidr((*parsed)["podCIDR"].as_string());
  }
  TRY_VOID(book.load_pods());
  return book;
}

Result<void> AddressBook::load_pods() {
  const std::string pods = directory_ + "/pods";
  DIR* listing = ::opendir(pods.c_str());
  if (!listing) return Error::from_errno(errno, "read " + pods);
  std::vector<std::string> names;
  while (const dirent* entry = ::readdir(listing)) names.emplace_back(entry->d_name);
  ::closedir(listing);
  std::set<Ip> taken;
  for (const std::string& name : names) {
    if (name.starts_with(".")) continue;
    const std::string path = pods + "/" + name;
    auto text = loop::read_file_now(path);
    auto entry = text.ok() && name.ends_with(suffix) ? parse_entry(*text) : std::nullopt;
    // Half-written ones, temporary ones, and an address that two claim: the pod gets another one.
    if (!entry || !taken.insert(entry->ip).second) {
      ::unlink(path.c_str());
      continue;
    }
    last_ = std::max(last_, number_of(entry->ip));
    entries_.emplace(name.substr(0, name.size() - suffix.size()), std::move(*entry));
  }
  return {};
}

Result<void> AddressBook::set_range(const Cidr& range) {
  const std::string text = format_json(Value::object({{"podCIDR", format_cidr(range)}}));
  TRY_VOID(loop::write_file_atomic_now(directory_ + "/node.json", text, 0644));
  range_ = range;
  return {};
}

Result<Ip> AddressBook::take(const std::string& uid, const std::string& ns, const std::string& name,
                             std::vector<runtime::HostPort> host_ports) {
  if (auto found = entries_.find(uid); found != entries_.end()) {
    found->second.host_ports = std::move(host_ports);
    return found->second.ip;
  }
  if (!range_) return Error::make(Code::unavailable, "the node has no range of pod addresses yet (spec.podCIDR)");
  std::set<uint32_t> taken;
  for (const auto& [other, entry] : entries_) taken.insert(number_of(entry.ip));
  // Not the network's own address, the gateway's, the broadcast one.
  const uint32_t network = number_of(range_->network()), size = uint32_t{1} << (32 - range_->bits);
  const uint32_t first = network + 2, count = size > 3 ? size - 3 : 0;
  uint32_t at = last_ >= first && last_ - first < count ? last_ - first + 1 : 0;
  for (uint32_t tried = 0; tried < count; ++tried, ++at) {
    const uint32_t number = first + at % count;
    if (taken.contains(number)) continue;
    last_ = number;
    const Ip ip = ip_of(number);
    entries_.emplace(uid, BookEntry{ip, ns, name, std::move(host_ports)});
    return ip;
  }
  return Error::make(Code::unavailable, "no address is free in " + format_cidr(*range_) + ": " + std::to_string(taken.size()) + " are in use");
}

const BookEntry* AddressBook::find(const std::string& uid) const {
  auto found = entries_.find(uid);
  return found == entries_.end() ? nullptr : &found->second;
}

void AddressBook::give_back(const std::string& uid) { entries_.erase(uid); }

// Atomic, but not forced to the disk: after a power cut the pods are gone, too.
Result<void> AddressBook::save(const std::string& directory, const std::string& uid, const BookEntry& entry) {
  const std::string path = pod_file(directory, uid), temporary = directory + "/pods/." + uid;
  sys::Fd file(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!file.ok()) return Error::from_errno(errno, "write " + path);
  if (int error = sys::write_all(file.get(), text_of(entry))) return Error::from_errno(error, "write " + path);
  if (::rename(temporary.c_str(), path.c_str()) != 0) return Error::from_errno(errno, "write " + path);
  return {};
}

Result<void> AddressBook::erase(const std::string& directory, const std::string& uid) {
  const std::string path = pod_file(directory, uid);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return Error::from_errno(errno, "remove " + path);
  return {};
}

}  // namespace orch::netd
