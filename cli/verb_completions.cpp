#include "cli/completions.hpp"
#include "cli/verbs.hpp"

namespace sluice::cli {

Result<Outcome> run_completions(Session& session) {
    const std::string& shell = *session.arguments.shell;
    if (shell == "bash") return Outcome{bash_completion()};
    if (shell == "zsh") return Outcome{zsh_completion()};
    return Outcome{fish_completion()};
}

}  // namespace sluice::cli
