#include "cli/help.hpp"

#include <algorithm>
#include <array>
#include <format>

#include "sluice/cli_versions.hpp"

namespace sluice::cli {

namespace {

constexpr std::string_view kIntroduction =
    "Sluice splits deep neural networks into pipeline stages and proves how good the split is: from an ONNX file and a platform to a plan "
    "with a "
    "certified lower bound.";
constexpr std::string_view kStreams =
    "Data goes to stdout, everything else to stderr; --json changes stdout only, and nothing appears there before the whole command has "
    "succeeded. "
    "NO_COLOR is honoured. Ctrl-C once stops at the next check and writes what there is; twice quits at once.";
constexpr std::array<std::pair<int, std::string_view>, 7> kExitCodes{{{0, "done"},
                                                                      {1, "an input file, model or plan is not usable"},
                                                                      {2, "the command line is wrong"},
                                                                      {3, "proven: no plan exists"},
                                                                      {4, "stopped short of --require-gap"},
                                                                      {5, "verification failed"},
                                                                      {130, "interrupted before there was anything to keep"}}};

std::string wrapped(std::string_view text, std::size_t indent, std::size_t width = 100) {
    std::string out, line(indent, ' ');
    std::size_t used = indent;
    while (!text.empty()) {
        const std::size_t space = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, space);
        text.remove_prefix(std::min(space + 1, text.size()));
        if (used > indent && used + 1 + word.size() > width) {
            out += line + "\n";
            line.assign(indent, ' ');
            used = indent;
        }
        if (used > indent) {
            line += ' ';
            ++used;
        }
        line += word;
        used += word.size();
    }
    return out + line + "\n";
}

/// Two columns: a name and text wrapped beside it.
std::string entry(std::string_view name, std::string_view text, std::size_t column) {
    std::string out = "  " + std::string(name);
    const std::string body = wrapped(text, column);
    if (out.size() + 2 > column) return out + "\n" + body;
    return out + body.substr(out.size());
}

std::string choices_text(const Flag& flag) {
    if (flag.choices == nullptr || flag.open_choices) return {};
    std::string list;
    for (const std::string& choice : flag.choices()) list += (list.empty() ? "" : ", ") + choice;
    return list;
}

/// "what it does (one of: a, b; default: c)"
std::string flag_help(const Flag& flag) {
    std::string details;
    if (const std::string list = choices_text(flag); !list.empty()) details = "one of: " + list;
    if (!flag.fallback.empty()) details += std::format("{}default: {}", details.empty() ? "" : "; ", flag.fallback);
    return std::string(flag.help) + (details.empty() ? "" : std::format(" ({})", details));
}

std::string flag_entries(VerbSet verb) {
    std::string out;
    for (const Flag* flag : flags_of(verb))
        out += entry(flag->letter != 0 ? synopsis_of(*flag) : "    " + synopsis_of(*flag), flag_help(*flag), 30);
    return out;
}

/// Escapes for troff: backslashes and minus signs, and lines that would be requests.
std::string roff(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else
            out += c;
    }
    return out.starts_with('.') || out.starts_with('\'') ? "\\&" + out : out;
}

}  // namespace

std::string version_text() { return std::format("sluice {}\n", kVersion); }

std::string help_text() {
    std::string out = wrapped(kIntroduction, 0) + "\nusage: sluice VERB [ARGUMENT...] [FLAG...]\n\n";
    for (const Verb& verb : verbs()) out += entry(verb.name, verb.summary, 16);
    out += "\nflags\n" + flag_entries(kTop);
    out += "\nexit codes\n";
    for (const auto& [code, meaning] : kExitCodes) out += entry(std::to_string(code), meaning, 9);
    return out + "\n`sluice VERB --help` shows a verb's arguments and flags; start with `sluice demo`.\n";
}

std::string help_text(const Verb& verb) {
    std::string out = wrapped(verb.description, 0) + std::format("\nusage: {}\n", usage_of(verb));
    if (!verb.positionals.empty()) out += "\narguments\n";
    for (const Positional& positional : verb.positionals) out += entry(positional.name, positional.help, 16);
    out += "\nflags\n" + flag_entries(in(verb.id));
    out += "\nexamples\n";
    for (std::string_view example : verb.examples) out += std::format("  sluice {}\n", example);
    return out;
}

std::string man_page() {
    std::string out = std::format(".TH SLUICE 1 \"\" \"sluice {}\" \"User Commands\"\n", kVersion);
    out += ".SH NAME\nsluice \\- plan pipeline parallelism for deep neural networks, with proven bounds\n";
    out += ".SH SYNOPSIS\n";
    for (const Verb& verb : verbs()) out += std::format(".B {}\n.br\n", roff(usage_of(verb)));
    out += std::format(".SH DESCRIPTION\n{}\n.PP\n{}\n", roff(kIntroduction), roff(kStreams));
    const auto entries = [&](VerbSet verb) {
        for (const Flag* flag : flags_of(verb)) out += std::format(".TP\n.B {}\n{}\n", roff(synopsis_of(*flag)), roff(flag_help(*flag)));
    };
    out += ".SH OPTIONS\n";
    entries(kTop);
    out += ".SH VERBS\n";
    for (const Verb& verb : verbs()) {
        out += std::format(".SS {}\n{}\n", roff(usage_of(verb)), roff(verb.description));
        for (const Positional& positional : verb.positionals)
            out += std::format(".TP\n.I {}\n{}\n", roff(positional.name), roff(positional.help));
        entries(in(verb.id));
    }
    out += ".SH EXIT STATUS\n";
    for (const auto& [code, meaning] : kExitCodes) out += std::format(".TP\n.B {}\n{}\n", code, roff(meaning));
    out +=
        ".SH ENVIRONMENT\n.TP\n.B NO_COLOR\nno colour on the terminal\n.TP\n.B XDG_CACHE_HOME\nwhere caches live (default: ~/.cache)\n.SH "
        "EXAMPLES\n";
    for (const Verb& verb : verbs())
        for (std::string_view example : verb.examples) out += std::format(".B sluice {}\n.br\n", roff(example));
    return out;
}

std::string markdown_page() {
    std::string out = std::format(
        "# Command line\n\n<!-- Made from the table of flags (cli/flags.cpp): SLUICE_UPDATE=1 with the test unit.cli rewrites it. -->\n\n"
        "{}\n\n{}\n",
        kIntroduction, kStreams);
    const auto table = [&](VerbSet verb) {
        out += "| flag | what | default |\n| --- | --- | --- |\n";
        for (const Flag* flag : flags_of(verb)) {
            const std::string list = choices_text(*flag);
            out += std::format("| `{}` | {}{} | {} |\n", synopsis_of(*flag), flag->help, list.empty() ? "" : ": " + list, flag->fallback);
        }
    };
    out += "\n## sluice\n\n";
    table(kTop);
    for (const Verb& verb : verbs()) {
        out += std::format("\n## {}\n\n{}\n\n```\n{}\n```\n\n", verb.name, verb.description, usage_of(verb));
        for (const Positional& positional : verb.positionals) out += std::format("- `{}`: {}\n", positional.name, positional.help);
        if (!verb.positionals.empty()) out += "\n";
        table(in(verb.id));
        out += "\n```sh\n";
        for (std::string_view example : verb.examples) out += std::format("sluice {}\n", example);
        out += "```\n";
    }
    out += "\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n";
    for (const auto& [code, meaning] : kExitCodes) out += std::format("| {} | {} |\n", code, meaning);
    return out;
}

}  // namespace sluice::cli
