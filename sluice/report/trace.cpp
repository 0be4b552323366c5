#include "sluice/report/trace.hpp"

#include <algorithm>
#include <format>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <vector>

namespace sluice::report {

namespace {

std::string quoted(const std::string& text) { return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace); }

/// Microseconds, exactly.
std::string time_text(Duration time) { return std::format("{}.{:06}", time.count() / 1'000'000, time.count() % 1'000'000); }

class Writer {
public:
    explicit Writer(const TraceView& trace) : trace_(trace) {
        for (const std::string& name : trace.names) names_.push_back(quoted(name));
    }

    std::string run() {
        out_ = "{\"displayTimeUnit\":\"ns\",\"traceEvents\":[";
        add_tracks();
        std::vector<std::uint32_t> order(trace_.tasks.size());
        std::iota(order.begin(), order.end(), 0U);
        std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return trace_.tasks[i].start; });
        for (const std::uint32_t i : order) add_slice(trace_.tasks[i]);
        add_arrows(std::move(order));
        for (const simulate::TraceCounter& counter : trace_.counters)
            event("{{\"ph\":\"C\",\"pid\":{},\"name\":\"memory\",\"ts\":{},\"args\":{{\"bytes\":{}}}}}", processes_[counter.track],
                  time_text(counter.time), counter.value);
        out_ += "\n]}\n";
        return std::move(out_);
    }

private:
    template <typename... Parts>
    void event(std::format_string<const Parts&...> text, const Parts&... parts) {
        out_ += first_ ? "\n" : ",\n";
        first_ = false;
        std::format_to(std::back_inserter(out_), text, parts...);
    }

    void add_tracks() {
        std::vector<char> used(trace_.tracks.size());
        for (const simulate::TraceTask& task : trace_.tasks) used[task.track] = 1;
        for (const simulate::TraceCounter& counter : trace_.counters) used[counter.track] = 1;
        std::map<std::string, std::size_t> groups;
        for (std::size_t t = 0; t < trace_.tracks.size(); ++t) {
            const auto& [group, name] = trace_.tracks[t];
            if (!used[t]) {
                processes_.push_back(0);
                continue;
            }
            const auto [at, fresh] = groups.emplace(group, groups.size() + 1);
            processes_.push_back(at->second);
            if (fresh) {
                event("{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_name\",\"args\":{{\"name\":{}}}}}", at->second, quoted(group));
                event("{{\"ph\":\"M\",\"pid\":{},\"name\":\"process_sort_index\",\"args\":{{\"sort_index\":{}}}}}", at->second, at->second);
            }
            event("{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_name\",\"args\":{{\"name\":{}}}}}", at->second, t + 1,
                  quoted(name));
            event("{{\"ph\":\"M\",\"pid\":{},\"tid\":{},\"name\":\"thread_sort_index\",\"args\":{{\"sort_index\":{}}}}}", at->second, t + 1,
                  t + 1);
        }
    }

    void add_slice(const simulate::TraceTask& task) {
        event("{{\"ph\":\"X\",\"pid\":{},\"tid\":{},\"name\":{},\"ts\":{},\"dur\":{},\"args\":{{\"input\":{}}}}}", processes_[task.track],
              task.track + 1, names_[task.name], time_text(task.start), time_text(task.end - task.start), task.input);
    }

    /// An arrow of its own for each task of a message after the first.
    void add_arrows(std::vector<std::uint32_t> order) {
        std::erase_if(order, [&](std::uint32_t i) { return trace_.tasks[i].flow == 0; });
        std::ranges::stable_sort(order, {}, [&](std::uint32_t i) { return trace_.tasks[i].flow; });
        std::size_t id = 0;
        for (std::size_t i = 0, origin = 0; i < order.size(); ++i) {
            const simulate::TraceTask &from = trace_.tasks[order[origin]], &to = trace_.tasks[order[i]];
            if (from.flow != to.flow) {
                origin = i;
                continue;
            }
            if (i == origin) continue;
            ++id;
            event("{{\"ph\":\"s\",\"id\":{},\"pid\":{},\"tid\":{},\"name\":\"message\",\"cat\":\"message\",\"ts\":{}}}", id,
                  processes_[from.track], from.track + 1, time_text(from.start));
            event("{{\"ph\":\"f\",\"bp\":\"e\",\"id\":{},\"pid\":{},\"tid\":{},\"name\":\"message\",\"cat\":\"message\",\"ts\":{}}}", id,
                  processes_[to.track], to.track + 1, time_text(to.start));
        }
    }

    const TraceView& trace_;
    std::vector<std::string> names_;
    std::vector<std::size_t> processes_;  // per track
    std::string out_;
    bool first_ = true;
};

}  // namespace

std::string trace_text(const TraceView& trace) { return Writer(trace).run(); }

}  // namespace sluice::report
