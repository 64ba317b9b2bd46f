#pragma once
// nf_tables: rulesets of plan/net as netlink messages, one atomic batch at a time.
//
// A batch is made without a system call (encode_*), so that tests and a worker thread can have it; Nftables sends it.

#include <string>
#include <vector>

#include "linux/netlink_socket.h"
#include "plan/net/ruleset.h"

namespace orch::sys {

struct NfBatch {
  std::string bytes;
  std::vector<std::string> whats;  // by sequence number: what each message does, for errors
};

// Makes the table what `ruleset` says, whatever was there under its name. Packets see the old rules or the new ones.
NfBatch encode_replace(const plan::net::Ruleset& ruleset);
// `changes` to a table that is there. Elements' sets: those of the skeleton or of the changes.
NfBatch encode_changes(const plan::net::Changes& changes);
NfBatch encode_delete_table(std::string_view table);

class Nftables {
 public:
  static Result<Nftables> open();
  Nftables(Nftables&&) noexcept = default;
  Nftables& operator=(Nftables&&) noexcept = default;

  // All or nothing. Code::io with the errno: "add rules of chain service/default/web/tcp/80: ...".
  Result<void> apply(NfBatch batch);
  // Succeeds where there is no such table.
  Result<void> remove_table(std::string_view table);
  // How many chains and sets the table holds; nullopt: there is no such table.
  Result<std::optional<uint32_t>> table_use(std::string_view table);
  // Tables of family ip whose name begins so.
  Result<std::vector<std::string>> tables(std::string_view prefix);
  uint32_t port() const { return socket_.port(); }

 private:
  explicit Nftables(Socket socket) : socket_(std::move(socket)) {}
  Socket socket_;
};

// Tells of changes to a table that somebody else made.
class NfMonitor {
 public:
  // `own_port`: of the Nftables whose changes are ours.
  static Result<NfMonitor> open(std::string table, uint32_t own_port);
  int fd() const { return socket_.fd(); }
  // Reads what there is. True: somebody else took something out of the table. (Messages get lost when more come at once than
  // the buffer of 64 MB holds; only transactions of our own are that large.)
  bool changed();

 private:
  NfMonitor(Socket socket, std::string table, uint32_t own_port)
      : socket_(std::move(socket)), table_(std::move(table)), own_port_(own_port) {}
  Socket socket_;
  std::string table_;
  uint32_t own_port_;
};

}  // namespace orch::sys
