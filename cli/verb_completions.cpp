#include <format>

#include "cli/completions.hpp"
#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_completions(Session& session) {
    const std::string& shell = *session.arguments.shell;
    if (shell == "bash") return Outcome{bash_completion()};
    if (shell == "zsh") return Outcome{zsh_completion()};
    if (shell == "fish") return Outcome{fish_completion()};
    return fail(usage_error(std::format("there are no completions for '{}'", shell)).fix("there are for bash, zsh and fish"));
}

}  // namespace sluice::cli
