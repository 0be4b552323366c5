// The table of verbs and the table of flags: the one place where a flag is defined. The parser, --help, the man page, docs/cli.md and the
// shell completions are all made from it, and a test asserts that they agree.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cli/arguments.hpp"
#include "cli/session.hpp"

namespace sluice::cli {

enum class VerbId : unsigned {
    inspect,
    profile,
    plan,
    bound,
    verify,
    simulate,
    exporting,
    run,
    zoo,
    demo,
    doctor,
    completions,
    compare,
    sweep,
    policy
};

/// A set of verbs; `top` stands for `sluice` without one.
using VerbSet = unsigned;
[[nodiscard]] constexpr VerbSet in(VerbId verb) { return 1U << static_cast<unsigned>(verb); }
inline constexpr VerbSet kTop = 1U << 31U;
inline constexpr VerbSet kEverywhere = ~0U;

/// Words that a value may be, for completion and nearest matches; empty: anything.
using Choices = std::vector<std::string> (*)();

struct Positional {
    std::string_view name;  // "MODEL"
    std::optional<std::string> Arguments::* target = nullptr;
    bool required = true;
    std::string_view help;
    Choices choices = nullptr;  // all that is allowed, or (`open_choices`) only what completion offers
    bool open_choices = false;
    bool is_file = false;
};

struct Verb {
    VerbId id;
    std::string_view name;
    std::string_view summary;      // one line
    std::string_view description;  // a paragraph
    std::vector<Positional> positionals;
    std::vector<std::string_view> examples;  // what follows "sluice "
    VerbFunction run = nullptr;
};

/// What a flag's value is and where it goes.
using Target = std::variant<bool Arguments::*,                                                // a switch
                            std::optional<std::string> Arguments::*,                          // text
                            std::optional<std::int64_t> Arguments::*,                         // an integer of at least `minimum`
                            std::optional<Duration> Arguments::*,                             // "10", "10s", "2min"
                            std::optional<double> Arguments::*,                               // "0.01", "1%"
                            std::vector<std::pair<std::string, std::int64_t>> Arguments::*>;  // NAME=VALUE, repeatable

struct Flag {
    std::string_view name;   // without the dashes
    char letter = 0;         // 0: none
    std::string_view value;  // what help calls the value; empty: a switch
    Target target;
    std::string_view fallback;  // the default, in words
    std::string_view help;
    VerbSet verbs = 0;
    std::int64_t minimum = 0;
    Choices choices = nullptr;  // all that is allowed, or (`open_choices`) only what completion offers
    bool open_choices = false;
};

[[nodiscard]] std::span<const Verb> verbs();
[[nodiscard]] std::span<const Flag> flags();
[[nodiscard]] const Verb* find_verb(std::string_view name);
/// In the table's order.
[[nodiscard]] std::vector<const Flag*> flags_of(VerbSet verb);
/// "-p, --platform PLATFORM"
[[nodiscard]] std::string synopsis_of(const Flag& flag);
/// "sluice plan MODEL [FLAG...]"
[[nodiscard]] std::string usage_of(const Verb& verb);

}  // namespace sluice::cli
