// The user's side of stderr: one live line when it is a terminal, plain lines when it is not. NO_COLOR and --quiet honoured.
// Safe to call from several threads. What is printed here never holds control characters from files.
#pragma once

#include <cstddef>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "sluice/base/diagnostic.hpp"

namespace sluice::cli {

class Terminal {
public:
    explicit Terminal(bool quiet);
    ~Terminal() { clear_line(); }
    Terminal(const Terminal&) = delete;
    Terminal& operator=(const Terminal&) = delete;

    /// stderr is a terminal that can redraw a line.
    [[nodiscard]] bool live() const { return live_; }
    [[nodiscard]] bool quiet() const { return quiet_; }
    [[nodiscard]] std::size_t width() const;

    void say(std::string_view text);      // "note: …"; nothing when quiet
    void warn(std::string_view text);     // "warning: …"; nothing when quiet
    void hint(std::string_view command);  // a useful next command, kept for `show_hints`
    void show_hints();                    // "next: …", after the verb's data; nothing when quiet
    void line(std::string_view text);     // as it is; nothing when quiet
    void error(const Diagnostic& diagnostic);

    /// Redraws the live line (terminals only, nothing when quiet); other output goes above it.
    void show_line(std::string_view text);
    void clear_line();

private:
    enum class Colour { none, red, yellow, cyan };
    void print(std::string_view label, Colour colour, std::string_view text);

    const bool quiet_;
    bool live_ = false, colour_ = false;
    bool line_shown_ = false;
    std::vector<std::string> hints_;
    std::mutex mutex_;
};

}  // namespace sluice::cli
