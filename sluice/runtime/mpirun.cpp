#include "sluice/runtime/mpirun.hpp"

#include <algorithm>
#include <charconv>
#include <format>
#include <ranges>
#include <regex>

namespace sluice::runtime {

namespace {

constexpr std::size_t kLongestKept = std::size_t{1} << 20;

void keep(std::deque<std::string>& lines, std::string_view line) {
    lines.emplace_back(line.substr(0, 400));
    if (lines.size() > MpirunLog::kKept) lines.pop_front();
}

std::int64_t integer(const std::string& text) {
    std::int64_t value = -1;
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

}  // namespace

std::vector<std::string> mpirun_words(const MpirunCall& call) {
    // btl: named, since where interfaces do not pair the default complains. Not bound to cores: a rank computes with several threads, moves
    // data with another, and may share the machine.
    std::vector<std::string> words{"mpirun", "--output", "tag"};
    const auto add = [&](std::initializer_list<std::string> more) { words.insert(words.end(), more); };
    add({"--mca", "pml", "ob1", "--mca", "btl", call.several_hosts ? "self,sm,tcp" : "self,sm"});
    add({"--bind-to", "none", "--map-by", "slot:OVERSUBSCRIBE", "-n", std::format("{}", call.ranks)});
    if (!call.hostfile.empty()) add({"--hostfile", call.hostfile.string()});
    if (!call.several_hosts) add({"--mca", "btl_sm_backing_directory", call.shared_memory.string()});
    words.insert(words.end(), call.further.begin(), call.further.end());
    add({call.worker.string(), "run", call.job.string()});
    return words;
}

std::vector<std::string> LineSplitter::add(std::string_view bytes) {
    std::vector<std::string> lines;
    for (std::size_t end; (end = bytes.find('\n')) != std::string_view::npos; bytes.remove_prefix(end + 1)) {
        lines.push_back(rest_.append(bytes.substr(0, end)));
        rest_.clear();
        if (lines.back().ends_with('\r')) lines.back().pop_back();
    }
    if (rest_.size() < kLongestKept) rest_.append(bytes);
    return lines;
}

std::optional<TaggedLine> untag(std::string_view line) {
    // "[1,0]<stderr>: text"; the space is missing before an empty line.
    if (!line.starts_with('[')) return std::nullopt;
    const std::size_t comma = line.find(','), close = line.find(']'), colon = line.find(">:");
    if (comma == std::string_view::npos || close == std::string_view::npos || colon == std::string_view::npos || comma > close ||
        close > colon)
        return std::nullopt;
    TaggedLine tagged;
    const std::string_view number = line.substr(comma + 1, close - comma - 1);
    const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), tagged.rank);
    if (error != std::errc{} || end != number.data() + number.size()) return std::nullopt;
    tagged.text = line.substr(colon + 2);
    if (tagged.text.starts_with(' ')) tagged.text.remove_prefix(1);
    return tagged;
}

std::optional<RankEnd> read_rank_end(std::string_view paragraph) {
    static const std::regex by_signal(R"(process rank (\d+) with PID (\d+) on node (\S+) exited on signal (\d+)(?: \(([^)]*)\))?)");
    static const std::regex by_code(R"(Process name: \[[^\]]*,(\d+)\] +Exit code: +(\d+))");
    static const std::regex by_abort(R"(process rank (\d+) with PID \d+ on node (\S+) calling "abort")");
    const std::string text(paragraph);
    std::smatch match;
    RankEnd end;
    if (std::regex_search(text, match, by_signal)) {
        end.rank = integer(match[1]);
        end.process = integer(match[2]);
        end.host = match[3];
        end.signal = static_cast<int>(integer(match[4]));
        end.signal_name = match[5];
        return end;
    }
    if (std::regex_search(text, match, by_abort)) {
        end.rank = integer(match[1]);
        end.host = match[2];
        end.aborted = true;
        return end;
    }
    if (std::regex_search(text, match, by_code)) {
        end.rank = integer(match[1]);
        end.exit_code = static_cast<int>(integer(match[2]));
        return end;
    }
    return std::nullopt;
}

void MpirunLog::end_paragraph() {
    if (!paragraph_.empty()) {
        if (auto end = read_rank_end(paragraph_); end && !first_end_) first_end_ = std::move(end);
        keep(own_, paragraph_);
    }
    paragraph_.clear();
}

void MpirunLog::take_clues(std::string_view text) {
    static const std::regex unreachable(R"(Process 2 \(\[\[\d+,\d+\],(\d+)\]\) is on host: )");
    constexpr std::string_view kPeer = "Peer host:";
    if (const auto at = text.find(kPeer); at != std::string_view::npos && lost_host_.empty()) {
        const std::string_view host = text.substr(at + kPeer.size());
        if (const auto start = host.find_first_not_of(' '); start != std::string_view::npos) lost_host_ = host.substr(start);
    }
    std::match_results<std::string_view::const_iterator> match;
    if (!unreachable_ && text.contains("Process 2 (") && std::regex_search(text.begin(), text.end(), match, unreachable))
        unreachable_ = integer(match[1].str());
}

void MpirunLog::add(std::string_view line) {
    if (const auto tagged = untag(line)) {
        take_clues(tagged->text);
        if (tagged->text.find_first_not_of("- ") != std::string_view::npos) keep(ranks_[tagged->rank], tagged->text);
        return;
    }
    const auto words = line.find_first_not_of(" \t");
    if (words == std::string_view::npos) return;
    line.remove_prefix(words);
    if (line.size() > 20 && line.find_first_not_of('-') == std::string_view::npos) {
        end_paragraph();
        inside_ = !inside_;
        return;
    }
    if (!inside_) {
        keep(own_, line);
        return;
    }
    // mpirun breaks its sentences at 72 columns.
    if (!paragraph_.empty()) paragraph_ += ' ';
    if (paragraph_.size() < 4000) paragraph_ += line;
}

std::vector<std::string> MpirunLog::last_lines(std::int64_t rank) const {
    const auto found = ranks_.find(rank);
    if (found == ranks_.end()) return {};
    return {found->second.begin(), found->second.end()};
}

}  // namespace sluice::runtime
