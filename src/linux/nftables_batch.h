#pragma once
// BatchWriter: the messages of one nf_tables transaction, back to back. Room-private: nftables.cpp.

#include <span>

#include "linux/nftables.h"

namespace orch::sys {

class BatchWriter {
 public:
  explicit BatchWriter(std::string table);
  void add_table();
  void delete_table();
  void add_set(const std::string& name, const plan::net::Set& set);
  void delete_set(const std::string& name);
  void add_chain(const std::string& name, const std::optional<plan::net::Hook>& hook);
  void delete_chain(const std::string& name);
  void flush_chain(const std::string& name);
  void add_rules(const std::string& chain, const std::vector<plan::net::Rule>& rules);
  // NFT_MSG_NEWSETELEM or NFT_MSG_DELSETELEM; neighbours of one set share messages.
  void elements(uint16_t type, std::span<const plan::net::Element> elements);
  NfBatch finish() &&;

 private:
  struct Expressions;
  friend struct Expressions;
  // An anonymous map for one rule: number -> value. Returns its id in this batch.
  uint32_t add_numbered_map(const plan::net::Dnat& dnat);
  uint32_t add_numbered_map(const plan::net::Spread& spread);
  uint32_t begin_numbered_map(bool verdicts);
  void begin(uint16_t type, uint16_t flags, std::string what);
  void end();
  void batch_mark(uint16_t type);

  std::string table_;
  Message message_;  // the one being written
  NfBatch batch_;
  uint32_t last_set_id_ = 0;
};

}  // namespace orch::sys
