// sluice: words in, one verb run, its data on stdout once all of it has succeeded, an exit code (design §6).
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <format>
#include <new>
#include <string>
#include <vector>

#include "cli/help.hpp"
#include "cli/parse.hpp"
#include "cli/terminal.hpp"
#include "sluice/base/files.hpp"

namespace {

using namespace sluice;
using namespace sluice::cli;

Result<Outcome> run(const Call& call, Terminal& terminal, Limits::Clock::time_point start) {
    const Arguments& arguments = call.arguments;
    if (call.verb == nullptr) return Outcome{arguments.help ? help_text() : arguments.version ? version_text() : man_page()};
    if (arguments.help) return Outcome{help_text(*call.verb)};
    Session session{arguments, terminal, start};
    return call.verb->run(session);
}

}  // namespace

int main(int argc, char** argv) {
    const auto start = Limits::Clock::now();
    const std::vector<std::string> words(argv + (argc > 0 ? 1 : 0), argv + argc);
    const auto call = parse_call(words);
    Terminal terminal(call && call->arguments.quiet);
    const auto finish = [&](const Diagnostic& diagnostic) {
        terminal.error(diagnostic);
        return static_cast<int>(exit_code_of(diagnostic.kind));
    };
    if (!call) return finish(call.error());
    try {
        const auto outcome = run(*call, terminal, start);
        terminal.clear_line();
        if (!outcome) return finish(outcome.error());
        if (auto written = write_file("-", outcome->out); !written) return finish(written.error());
        terminal.show_hints();
        return static_cast<int>(outcome->code);
    } catch (const std::bad_alloc&) {
        return finish(input_error("out of memory").fix("try a smaller model, or give this process more memory"));
    }
}
