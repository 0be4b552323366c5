#include "cli/terminal.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <format>

#include "sluice/report/text.hpp"

namespace sluice::cli {

namespace {

/// stderr may be closed or full: there is nobody left to tell.
void write_stderr(std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
        if (written < 0 && errno == EINTR) continue;
        if (written <= 0) return;
        text.remove_prefix(static_cast<std::size_t>(written));
    }
}

constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

Terminal::Terminal(bool quiet) : quiet_(quiet) {
    const char* term = std::getenv("TERM");
    const char* no_color = std::getenv("NO_COLOR");
    live_ = ::isatty(STDERR_FILENO) == 1 && term != nullptr && std::string_view(term) != "dumb" && *term != '\0';
    colour_ = live_ && (no_color == nullptr || *no_color == '\0');
}

std::size_t Terminal::width() const {
    winsize size{};
    return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

void Terminal::print(std::string_view label, Colour colour, std::string_view text) {
    std::string out = report::printable(text, true);
    if (!out.ends_with('\n')) out += '\n';
    // Labels are ours and come first on their line, perhaps after a file and line number.
    if (const std::size_t at = out.find(label); colour_ && colour != Colour::none && at != std::string::npos) {
        const int code = colour == Colour::red ? 31 : colour == Colour::yellow ? 33 : 36;
        out.insert(at + label.size(), "\x1b[0m");
        out.insert(at, std::format("\x1b[1;{}m", code));
    }
    const std::lock_guard lock(mutex_);
    if (line_shown_) out.insert(0, kClearLine);
    line_shown_ = false;
    write_stderr(out);
}

void Terminal::say(std::string_view text) {
    if (!quiet_) print("note:", Colour::cyan, std::format("note: {}", text));
}

void Terminal::warn(std::string_view text) {
    if (!quiet_) print("warning:", Colour::yellow, std::format("warning: {}", text));
}

void Terminal::hint(std::string_view command) { hints_.emplace_back(command); }

void Terminal::show_hints() {
    for (const std::string& command : hints_)
        if (!quiet_) print("next:", Colour::cyan, std::format("next: {}", command));
}

void Terminal::line(std::string_view text) {
    if (!quiet_) print("", Colour::none, text);
}

void Terminal::error(const Diagnostic& diagnostic) { print("error:", Colour::red, to_text(diagnostic)); }

void Terminal::show_line(std::string_view text) {
    if (quiet_ || !live_) return;
    const std::lock_guard lock(mutex_);
    write_stderr(std::string(kClearLine) + std::string(text));
    line_shown_ = true;
}

void Terminal::clear_line() {
    const std::lock_guard lock(mutex_);
    if (line_shown_) write_stderr(kClearLine);
    line_shown_ = false;
}

}  // namespace sluice::cli
