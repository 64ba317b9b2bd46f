#include "linux/nftables.h"

#include <arpa/inet.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>

#include "linux/nftables_batch.h"

namespace orch::sys {

using namespace plan::net;

namespace {

constexpr uint16_t message_type(uint16_t type) { return static_cast<uint16_t>(NFNL_SUBSYS_NFTABLES << 8 | type); }
constexpr nfgenmsg family_header{NFPROTO_IPV4, NFNETLINK_V0, 0};

}  // namespace

NfBatch encode_replace(const Ruleset& ruleset) {
  BatchWriter writer(ruleset.table);
  // Deleting what is not there fails: so it is made first.
  writer.add_table();
  writer.delete_table();
  writer.add_table();
  for (const auto& [name, set] : ruleset.sets) writer.add_set(name, set);
  for (const auto& [name, chain] : ruleset.chains) writer.add_chain(name, chain.hook);
  for (const auto& [name, chain] : ruleset.chains) writer.add_rules(name, chain.rules);
  std::vector<Element> elements;
  for (const auto& [set, entries] : ruleset.elements)
    for (const auto& [key, verdict] : entries) elements.push_back({set, key, verdict});
  writer.elements(NFT_MSG_NEWSETELEM, elements);
  return std::move(writer).finish();
}

NfBatch encode_changes(const Changes& changes) {
  BatchWriter writer(changes.table);
  for (const auto& [name, set] : changes.added_sets) writer.add_set(name, set);
  for (const auto& [name, hook] : changes.added_chains) writer.add_chain(name, hook);
  for (const auto& [name, rules] : changes.rules) {
    writer.flush_chain(name);
    writer.add_rules(name, rules);
  }
  writer.elements(NFT_MSG_DELSETELEM, changes.removed_elements);
  writer.elements(NFT_MSG_NEWSETELEM, changes.added_elements);
  // Chains that go may point at each other.
  for (const std::string& name : changes.removed_chains) writer.flush_chain(name);
  for (const std::string& name : changes.removed_chains) writer.delete_chain(name);
  for (const std::string& name : changes.removed_sets) writer.delete_set(name);
  return std::move(writer).finish();
}

NfBatch encode_delete_table(std::string_view table) {
  BatchWriter writer{std::string(table)};
  writer.add_table();
  writer.delete_table();
  return std::move(writer).finish();
}

Result<Nftables> Nftables::open() {
  TRY(Socket socket, Socket::open(NETLINK_NETFILTER));
  return Nftables(std::move(socket));
}

Result<void> Nftables::apply(NfBatch batch) {
  auto what_of = [&batch](uint32_t sequence) {
    return sequence < batch.whats.size() ? "nf_tables: " + batch.whats[sequence] : std::string("nf_tables");
  };
  return socket_.transact(std::move(batch.bytes), what_of);
}

Result<void> Nftables::remove_table(std::string_view table) {
  TRY(auto use, table_use(table));
  if (!use) return {};
  return apply(encode_delete_table(table));
}

Result<std::optional<uint32_t>> Nftables::table_use(std::string_view table) {
  Message message(message_type(NFT_MSG_GETTABLE), 0, "look for table " + std::string(table));
  message.header(family_header).text(NFTA_TABLE_NAME, table);
  auto reply = socket_.ask(message);
  if (!reply.ok() && reply.error().error_number() == ENOENT) return std::optional<uint32_t>();
  if (!reply.ok()) return std::move(reply).error();
  const auto& header = *reinterpret_cast<const nlmsghdr*>(reply->data());
  return std::optional(Attributes::of(header, sizeof(nfgenmsg)).be32(NFTA_TABLE_USE));
}

Result<std::vector<std::string>> Nftables::tables(std::string_view prefix) {
  Message message(message_type(NFT_MSG_GETTABLE), 0, "list tables");
  message.header(family_header);
  std::vector<std::string> names;
  auto each = [&](const nlmsghdr& header) {
    std::string_view name = Attributes::of(header, sizeof(nfgenmsg)).text(NFTA_TABLE_NAME);
    if (name.starts_with(prefix)) names.emplace_back(name);
  };
  TRY_VOID(socket_.dump(message, each));
  return names;
}

Result<NfMonitor> NfMonitor::open(std::string table, uint32_t own_port) {
  TRY(Socket socket, Socket::open(NETLINK_NETFILTER));
  TRY_VOID(socket.subscribe(NFNLGRP_NFTABLES));
  return NfMonitor(std::move(socket), std::move(table), own_port);
}

bool NfMonitor::changed() {
  bool foreign = false;
  auto look = [&](const nlmsghdr& header) {
    if (header.nlmsg_pid == own_port_) return;
    switch (header.nlmsg_type & 0xff) {
      case NFT_MSG_DELTABLE:
      case NFT_MSG_DELCHAIN:
      case NFT_MSG_DELRULE:
      case NFT_MSG_DELSET:
      case NFT_MSG_DELSETELEM:
        // The table's name has the same number in all of them.
        if (Attributes::of(header, sizeof(nfgenmsg)).text(NFTA_TABLE_NAME) == table_) foreign = true;
        break;
      default: break;
    }
  };
  (void)socket_.drain(look);
  return foreign;
}

}  // namespace orch::sys
