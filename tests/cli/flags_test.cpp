// The table of flags is the one source: parser, help, man page, docs/cli.md and completions must say the same.
#include "cli/flags.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <format>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "cli/completions.hpp"
#include "cli/help.hpp"
#include "cli/parse.hpp"

namespace sluice::cli {
namespace {

using Words = std::vector<std::string>;

/// The least that a call of `verb` needs.
Words minimal_call(const Verb& verb) {
    Words words{std::string(verb.name)};
    for (const Positional& positional : verb.positionals)
        if (positional.required)
            words.push_back(positional.choices != nullptr && !positional.open_choices ? positional.choices().front() : "word");
    return words;
}

/// A value that the flag accepts.
std::string value_for(const Flag& flag) {
    struct Visitor {
        const Flag& flag;
        std::string operator()(bool Arguments::*) const { return ""; }
        std::string operator()(std::optional<std::string> Arguments::*) const {
            return flag.choices != nullptr ? flag.choices().front() : "word";
        }
        std::string operator()(std::optional<std::int64_t> Arguments::*) const { return "7"; }
        std::string operator()(std::optional<Duration> Arguments::*) const { return "7s"; }
        std::string operator()(std::optional<double> Arguments::*) const { return "0.5"; }
        std::string operator()(std::vector<std::pair<std::string, std::int64_t>> Arguments::*) const { return "batch=7"; }
    };
    return std::visit(Visitor{flag}, flag.target);
}

bool is_set(const Arguments& arguments, const Flag& flag) {
    return std::visit(
        [&]<typename Value>(Value Arguments::* target) {
            if constexpr (std::is_same_v<Value, bool>)
                return arguments.*target;
            else if constexpr (requires { (arguments.*target).has_value(); })
                return (arguments.*target).has_value();
            else
                return !(arguments.*target).empty();
        },
        flag.target);
}

std::set<std::string> long_flags_in(const std::string& text) {
    static const std::regex kFlag("--([a-z][a-z-]*)");
    std::set<std::string> names;
    for (std::sregex_iterator it(text.begin(), text.end(), kFlag), end; it != end; ++it) names.insert((*it)[1]);
    return names;
}

std::set<std::string> names_of(VerbSet verb) {
    std::set<std::string> names;
    for (const Flag* flag : flags_of(verb)) names.emplace(flag->name);
    return names;
}

std::set<std::string> all_names() {
    std::set<std::string> names;
    for (const Flag& flag : flags()) names.emplace(flag.name);
    return names;
}

Diagnostic failure_of(const Words& words) {
    auto call = parse_call(words);
    EXPECT_FALSE(call.has_value());
    return call ? Diagnostic{} : call.error();
}

TEST(FlagTable, IsConsistent) {
    for (const Verb& verb : verbs()) {
        std::set<std::string> names;
        std::set<char> letters;
        for (const Flag* flag : flags_of(in(verb.id))) {
            EXPECT_TRUE(names.emplace(flag->name).second) << verb.name << " has --" << flag->name << " twice";
            EXPECT_TRUE(flag->letter == 0 || letters.insert(flag->letter).second) << verb.name << " has -" << flag->letter << " twice";
            EXPECT_FALSE(flag->help.empty()) << flag->name;
            EXPECT_EQ(flag->value.empty(), std::holds_alternative<bool Arguments::*>(flag->target)) << flag->name;
        }
        EXPECT_TRUE(names.contains("help")) << verb.name;
        EXPECT_EQ(find_verb(verb.name), &verb);
        EXPECT_NE(verb.run, nullptr);
        EXPECT_FALSE(verb.examples.empty()) << verb.name;
    }
}

TEST(FlagTable, TheParserTakesEveryFlagWithItsVerbsAndNoOther) {
    for (const Verb& verb : verbs())
        for (const Flag& flag : flags()) {
            if (flag.name == "help") continue;
            Words words = minimal_call(verb);
            words.push_back("--" + std::string(flag.name) + (flag.value.empty() ? "" : "=" + value_for(flag)));
            const auto call = parse_call(words);
            if ((flag.verbs & in(verb.id)) != 0) {
                ASSERT_TRUE(call.has_value()) << words.back() << ": " << call.error().message;
                EXPECT_TRUE(is_set(call->arguments, flag)) << verb.name << " " << words.back();
            } else if (!names_of(in(verb.id)).contains(std::string(flag.name))) {
                ASSERT_FALSE(call.has_value()) << verb.name << " takes " << words.back();
                EXPECT_EQ(call.error().kind, DiagnosticKind::usage);
                EXPECT_NE(call.error().message.find("--" + std::string(flag.name)), std::string::npos) << call.error().message;
            }
        }
}

TEST(FlagTable, ShortFormsAndSeparateValuesMeanTheSame) {
    const Words forms[] = {{"plan", "m", "--stages", "7"}, {"plan", "m", "--stages=7"}, {"plan", "m", "-k", "7"}, {"plan", "-k7", "m"}};
    for (const Words& words : forms) {
        const auto call = parse_call(words);
        ASSERT_TRUE(call.has_value()) << call.error().message;
        EXPECT_EQ(call->arguments.stages, 7);
        EXPECT_EQ(call->arguments.model, "m");
    }
}

TEST(FlagTable, HelpShowsExactlyTheFlagsOfItsVerb) {
    for (const Verb& verb : verbs()) {
        const std::string text = help_text(verb);
        for (const Flag* flag : flags_of(in(verb.id)))
            EXPECT_NE(text.find(synopsis_of(*flag)), std::string::npos) << verb.name << ": " << flag->name;
        for (const std::string& name : long_flags_in(text))
            EXPECT_TRUE(names_of(in(verb.id)).contains(name)) << verb.name << " help speaks of --" << name;
        EXPECT_NE(help_text().find(verb.name), std::string::npos);
    }
}

TEST(FlagTable, ExamplesParse) {
    for (const Verb& verb : verbs())
        for (std::string_view example : verb.examples) {
            std::istringstream in(std::string(example.substr(0, example.find(" > "))));
            const Words words{std::istream_iterator<std::string>(in), {}};
            const auto call = parse_call(words);
            ASSERT_TRUE(call.has_value()) << example << ": " << call.error().message;
            EXPECT_EQ(call->verb, &verb) << example;
        }
}

/// Every flag of the table is there, and every flag that is there is in the table.
void expect_all_flags(std::string text, const char* what) {
    text = std::regex_replace(text, std::regex(R"(\\-)"), "-");                // troff
    text = std::regex_replace(text, std::regex(R"(-l ([a-z-]+) )"), "--$1 ");  // fish
    const auto found = long_flags_in(text);
    for (const std::string& name : all_names()) EXPECT_TRUE(found.contains(name)) << what << " lacks --" << name;
    for (const std::string& name : found) EXPECT_TRUE(all_names().contains(name)) << what << " has --" << name;
    for (const Verb& verb : verbs()) EXPECT_NE(text.find(verb.name), std::string::npos) << what << " lacks " << verb.name;
}

TEST(FlagTable, ManPageDocumentAndCompletionsHaveEveryFlag) {
    expect_all_flags(man_page(), "the man page");
    expect_all_flags(markdown_page(), "docs/cli.md");
    expect_all_flags(bash_completion(), "bash");
    expect_all_flags(zsh_completion(), "zsh");
    // fish: `-n` conditions name subcommands, nothing there looks like a flag
    expect_all_flags(fish_completion(), "fish");
}

TEST(Document, IsTheOneMadeFromTheTable) {
    const std::string path = SLUICE_SOURCE_DIR "/docs/cli.md";
    if (std::getenv("SLUICE_UPDATE") != nullptr) std::ofstream(path) << markdown_page();
    std::ifstream file(path);
    std::ostringstream text;
    text << file.rdbuf();
    EXPECT_TRUE(text.str() == markdown_page()) << "docs/cli.md is behind the table: run test_unit_cli with SLUICE_UPDATE=1";
}

TEST(Parse, MisspeltWordsGetTheNearestMatch) {
    EXPECT_NE(failure_of({"paln", "m"}).help.find("'plan'"), std::string::npos);
    EXPECT_NE(failure_of({"plan", "m", "--platfrom", "cpu"}).help.find("'--platform'"), std::string::npos);
    EXPECT_NE(failure_of({"plan", "m", "--stage=4"}).help.find("'--stages'"), std::string::npos);
    EXPECT_NE(failure_of({"zoo", "make", "x", "--weights", "radnom"}).help.find("'random'"), std::string::npos);
    EXPECT_EQ(failure_of({"xyzzy"}).help.find("did you mean"), std::string::npos);
    for (const Words& words : {Words{"paln"}, Words{"plan", "m", "--platfrom", "cpu"}, Words{"plan"}, Words{}, Words{"--json"}})
        EXPECT_EQ(failure_of(words).kind, DiagnosticKind::usage);
}

TEST(Parse, NumbersAreRefusedOutsideTheirRange) {
    for (const char* bad :
         {"0", "-1", "-9223372036854775808", "9223372036854775808", "99999999999999999999999", "1.5", "four", "", "4x", " 4"})
        EXPECT_EQ(failure_of({"plan", "m", "-k", bad}).kind, DiagnosticKind::usage) << bad;
    EXPECT_EQ(parse_call(Words{"plan", "m", "-k", "9223372036854775807"})->arguments.stages, INT64_MAX);
    EXPECT_EQ(parse_call(Words{"plan", "m", "--seed", "0"})->arguments.seed, 0);
    EXPECT_NE(failure_of({"plan", "m", "-k", "0"}).message.find("at least 1"), std::string::npos);
}

TEST(Parse, TimesSharesAndDimensions) {
    const auto call = parse_call(Words{"plan", "m", "--time", "1.5", "--gap", "1%", "--require-gap=0.25", "--dim", "batch=8", "--dim",
                                       "x=y.0=3", "--dim", "batch=8"});
    ASSERT_TRUE(call.has_value()) << call.error().message;
    EXPECT_EQ(call->arguments.time, Duration(1'500'000'000'000));
    EXPECT_EQ(call->arguments.gap, 0.01);
    EXPECT_EQ(call->arguments.require_gap, 0.25);
    EXPECT_EQ(call->arguments.dimensions, (std::vector<std::pair<std::string, std::int64_t>>{{"batch", 8}, {"x=y.0", 3}}));
    EXPECT_EQ(parse_call(Words{"plan", "m", "--time", "0"})->arguments.time, Duration(0));
    EXPECT_EQ(parse_call(Words{"plan", "m", "--time", "2min"})->arguments.time, Duration(120'000'000'000'000));
    for (const char* bad : {"-1", "soon", "", "nan", "1e99"})
        EXPECT_EQ(failure_of({"plan", "m", "--time", bad}).kind, DiagnosticKind::usage) << bad;
    for (const char* bad : {"-0.1", "1.1", "nan", "inf", "101%", "x"})
        EXPECT_EQ(failure_of({"plan", "m", "--gap", bad}).kind, DiagnosticKind::usage) << bad;
    for (const char* bad : {"batch", "=3", "batch=", "batch=0", "batch=-1", "batch=9223372036854775808"})
        EXPECT_EQ(failure_of({"plan", "m", "--dim", bad}).kind, DiagnosticKind::usage) << bad;
    EXPECT_EQ(failure_of({"plan", "m", "--dim", "b=1", "--dim", "b=2"}).kind, DiagnosticKind::usage);
}

TEST(Parse, AValueMayBeMissingOrGivenTwice) {
    EXPECT_EQ(failure_of({"plan", "m", "-k"}).kind, DiagnosticKind::usage);
    EXPECT_EQ(failure_of({"plan", "m", "-p", "--json"}).kind, DiagnosticKind::usage);
    EXPECT_EQ(parse_call(Words{"plan", "m", "-k", "3", "-k", "5"})->arguments.stages, 5);  // the last one counts
}

TEST(Parse, PositionalWords) {
    EXPECT_EQ(failure_of({"plan"}).message.find("sluice plan needs MODEL"), 0U);
    EXPECT_NE(failure_of({"plan", "m", "extra"}).message.find("'extra'"), std::string::npos);
    const auto call = parse_call(Words{"verify", "m", "p", "c"});
    ASSERT_TRUE(call.has_value());
    EXPECT_EQ(call->arguments.certificate, "c");
    const auto dashed = parse_call(Words{"plan", "--", "-odd-name.onnx"});
    ASSERT_TRUE(dashed.has_value()) << dashed.error().message;
    EXPECT_EQ(dashed->arguments.model, "-odd-name.onnx");
}

TEST(Parse, HelpNeedsNothingElse) {
    EXPECT_TRUE(parse_call(Words{"plan", "--help"})->arguments.help);
    EXPECT_TRUE(parse_call(Words{"-h"})->arguments.help);
    EXPECT_TRUE(parse_call(Words{"help"})->arguments.help);
    EXPECT_EQ(parse_call(Words{"help", "plan"})->verb, find_verb("plan"));
    EXPECT_TRUE(parse_call(Words{"--version"})->arguments.version);
    EXPECT_TRUE(parse_call(Words{"--man"})->arguments.man);
}

}  // namespace
}  // namespace sluice::cli
