#pragma once
// The user's verbs: `orch get pods`. What is no role of the daemon (src/cmd) comes here.

#include <span>
#include <string>
#include <vector>

#include "cli/verb.h"
#include "loop/loop.h"
#include "loop/stream.h"

namespace orch::cli {

// The whole program but its exit. 0 fine, 1 failed, 2 wrong usage; some verbs have more (verbs.h).
int run(int argc, char** argv);

// The same with everything it touches handed in: what tests call. `words` without the program's name.
loop::Task<int> run_words(loop::Loop& loop, loop::Network& network, Console& console,
                          std::vector<std::string> words);

// Every verb, in the order of the help text.
std::vector<Verb> verbs();
Flags global_flags();

// What the words name, and how many of them the name takes; null: no such verb.
struct FoundVerb {
  const Verb* verb = nullptr;
  std::vector<std::string> rest;  // the words without the verb's name
  std::string name;               // as typed
};
FoundVerb find_verb(const std::vector<Verb>& all, const std::vector<std::string>& words);

std::string general_help(const std::vector<Verb>& all);
std::string verb_help(const Verb& verb);

}  // namespace orch::cli
