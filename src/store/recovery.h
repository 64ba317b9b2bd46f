#pragma once
// Repair of a damaged database file: reads every row that can still be read, fills the gaps from the
// newest good snapshot, writes a new file and puts the damaged one aside (docs/store.md).

#include <string>

#include "store/sqlite_file.h"

namespace orch::store {

// Makes a new database at `path` from what the damaged one and the snapshots still have.
Result<void> repair(const std::string& directory, const std::string& path, const std::string& vfs,
                    OpenReport& report);
// Ends a repair that was interrupted between its renames.
Result<void> finish_repair(const std::string& directory, const std::string& path, OpenReport& report);

}  // namespace orch::store
