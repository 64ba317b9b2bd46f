#pragma once
// Rules: keeps the nf_tables table equal to an Assembly. What is put within one turn of the loop goes in one transaction,
// made and sent on a worker thread, one at a time; what comes meanwhile waits for the next one. A transaction that fails, or
// a table that somebody else took something out of, is followed by the whole ruleset. On the loop's thread.

#include <memory>
#include <string>

#include "base/log.h"
#include "linux/nftables.h"
#include "loop/fd.h"
#include "loop/scope.h"
#include "plan/net/assembly.h"

namespace orch::netd {

class Rules {
 public:
  Rules(loop::UvLoop& loop, Logger logger, std::string table);

  void put(const std::string& owner, plan::net::Fragment fragment);
  std::vector<std::string> owners() const { return assembly_.owners(); }
  // Until now a table from before this start was left as it was: the whole state is known only now. A table that was not
  // there is made without waiting for it.
  void release();
  loop::Task<void> remove_table();
  // Why the last transaction failed; "" if it did not.
  const std::string& last_error() const { return last_error_; }

 private:
  loop::Task<void> run();
  loop::Task<void> apply_once();
  bool open_kernel();

  loop::UvLoop& loop_;
  Logger logger_;
  std::string table_;
  plan::net::Assembly assembly_;
  loop::Event wanted_, released_;
  bool replace_ = true;
  std::string last_error_;
  int failures_ = 0;
  std::shared_ptr<sys::Nftables> nftables_;  // used by one worker at a time
  std::unique_ptr<sys::NfMonitor> monitor_;
  std::unique_ptr<loop::FdWatch> watch_;
  loop::Scope scope_;  // last: its tasks use the others
};

}  // namespace orch::netd
