#include "cli/completions.hpp"

#include <format>

#include "cli/flags.hpp"
#include "cli/shell.hpp"

namespace sluice::cli {

namespace {

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
    return out;
}

std::string flag_words(VerbSet verb) {
    std::string out;
    for (const Flag* flag : flags_of(verb)) {
        if (flag->letter != 0) out += std::format("-{} ", flag->letter);
        out += std::format("--{} ", flag->name);
    }
    if (!out.empty()) out.pop_back();
    return out;
}

bool takes_file(const Flag& flag) {
    return flag.value == "FILE" || flag.value == "FOLDER" || flag.value == "PLAN" || flag.name == "platform";
}

/// zsh's _arguments reads ':', '[' and ']' as syntax.
std::string zsh_text(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == ':' || c == '[' || c == ']' || c == '\\') out += '\\';
        out += c;
    }
    return out;
}

std::string zsh_action(Choices choices, bool file) {
    std::string words;
    if (choices != nullptr)
        for (const std::string& word : choices()) words += (words.empty() ? "" : " ") + zsh_text(word);
    if (!words.empty() && file) return std::format("{{_alternative \"words:word:({})\" \"files:file:_files\"}}", words);
    if (!words.empty()) return std::format("({})", words);
    return file ? "_files" : " ";
}

}  // namespace

std::string bash_completion() {
    // The words so far decide: the verb is the first, a value is completed by the flag before it.
    std::string out =
        "# bash completion for sluice: made by `sluice completions bash`\n_sluice() {\n    local current=${COMP_WORDS[COMP_CWORD]} "
        "previous=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} words= files=\n    COMPREPLY=()\n";
    std::string names;
    for (const Verb& verb : verbs()) names += std::format("{} ", verb.name);
    out += std::format(
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n        COMPREPLY=($(compgen -W \"{}{}\" -- \"$current\"))\n        return\n    fi\n",
        names, flag_words(kTop));
    out += "    case $verb:$previous in\n";
    for (const Verb& verb : verbs())
        for (const Flag* flag : flags_of(in(verb.id))) {
            if (flag->value.empty()) continue;
            std::string pattern = std::format("{}:--{}", verb.name, flag->name);
            if (flag->letter != 0) pattern += std::format("|{}:-{}", verb.name, flag->letter);
            out += std::format("        {}) words=\"{}\" files={} ;;\n", pattern, flag->choices != nullptr ? joined(flag->choices()) : "",
                               takes_file(*flag) ? "yes" : "no");
        }
    for (const Verb& verb : verbs()) {
        std::string words = flag_words(in(verb.id));
        bool file = false;
        for (const Positional& positional : verb.positionals) {
            if (positional.choices != nullptr) words += " " + joined(positional.choices());
            file = file || positional.is_file;
        }
        out += std::format("        {}:*) words=\"{}\" files={} ;;\n", verb.name, words, file ? "yes" : "no");
    }
    out +=
        "    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$current\"))\n"
        "    [ \"$files\" = yes ] && COMPREPLY+=($(compgen -f -- \"$current\"))\n"
        "    if type __ltrim_colon_completions >/dev/null 2>&1; then __ltrim_colon_completions \"$current\"; fi\n}\ncomplete -o filenames "
        "-F _sluice sluice\n";
    return out;
}

std::string zsh_completion() {
    std::string out =
        "#compdef sluice\n# zsh completion for sluice: made by `sluice completions zsh`\n_sluice() {\n    if (( CURRENT == 2 )); then\n"
        "        local -a verbs=(\n";
    for (const Verb& verb : verbs())
        out += std::format("            {}\n", shell_word(std::format("{}:{}", verb.name, zsh_text(verb.summary))));
    out += "        )\n        _describe verb verbs\n        _arguments";
    const auto specs = [&](VerbSet verb) {
        for (const Flag* flag : flags_of(verb)) {
            const std::string value =
                flag->value.empty() ? "" : std::format(":{}:{}", zsh_text(flag->value), zsh_action(flag->choices, takes_file(*flag)));
            const std::string help = std::format("[{}]", zsh_text(flag->help));
            if (flag->letter != 0) out += " \\\n            " + shell_word(std::format("-{}{}{}", flag->letter, help, value));
            out += " \\\n            " + shell_word(std::format("--{}{}{}{}", flag->name, flag->value.empty() ? "" : "=", help, value));
        }
    };
    specs(kTop);
    out += "\n        return\n    fi\n    local verb=$words[2]\n    shift words\n    (( CURRENT-- ))\n    case $verb in\n";
    for (const Verb& verb : verbs()) {
        out += std::format("        {}) _arguments", verb.name);
        specs(in(verb.id));
        for (const Positional& positional : verb.positionals)
            out += " \\\n            " + shell_word(std::format("{}{}:{}", positional.required ? ":" : "::", positional.name,
                                                                zsh_action(positional.choices, positional.is_file)));
        out += " ;;\n";
    }
    return out + "    esac\n}\n_sluice \"$@\"\n";
}

std::string fish_completion() {
    std::string out = "# fish completion for sluice: made by `sluice completions fish`\n";
    const auto add = [&](std::string_view condition, std::string_view rest) {
        out += std::format("complete -c sluice -n {} {}\n", shell_word(condition), rest);
    };
    for (const Verb& verb : verbs()) add("__fish_use_subcommand", std::format("-f -a {} -d {}", verb.name, shell_word(verb.summary)));
    const auto specs = [&](VerbSet verb, std::string_view condition) {
        for (const Flag* flag : flags_of(verb)) {
            std::string rest = flag->letter != 0 ? std::format("-s {} ", flag->letter) : "";
            rest += std::format("-l {} -d {}", flag->name, shell_word(flag->help));
            if (!flag->value.empty()) rest += takes_file(*flag) ? " -r" : " -x";
            if (flag->choices != nullptr) rest += std::format(" -a {}", shell_word(joined(flag->choices())));
            add(condition, rest);
        }
    };
    specs(kTop, "__fish_use_subcommand");
    for (const Verb& verb : verbs()) {
        const std::string condition = std::format("__fish_seen_subcommand_from {}", verb.name);
        specs(in(verb.id), condition);
        for (const Positional& positional : verb.positionals)
            if (positional.choices != nullptr)
                add(condition, std::format("{}-a {}", positional.is_file ? "" : "-f ", shell_word(joined(positional.choices()))));
    }
    return out;
}

}  // namespace sluice::cli
