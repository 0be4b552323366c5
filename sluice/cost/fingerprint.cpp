#include "sluice/cost/fingerprint.hpp"

#include <cstdint>

#include "sluice/base/files.hpp"

namespace sluice::cost {

namespace {

class Words {
public:
    void add(std::int64_t value) {
        for (int shift = 0; shift < 64; shift += 8) text_ += static_cast<char>(static_cast<std::uint64_t>(value) >> shift);
    }
    void add(Duration time) { add(time.count()); }
    void add(Bytes bytes) { add(bytes.count); }
    void add(char flag) { add(static_cast<std::int64_t>(flag)); }
    template <typename Tag>
    void add(Id<Tag> id) {
        add(id.valid() ? static_cast<std::int64_t>(id.index()) : -1);
    }
    /// Lengths are part of it: moving a number from one list to the next must change the hash.
    void add_all(const auto& values) {
        add(static_cast<std::int64_t>(values.size()));
        for (const auto& value : values) add(value);
    }
    template <typename Value>
    void add_rows(const Rows<Value>& rows) {
        add(static_cast<std::int64_t>(rows.size()));
        for (std::size_t i = 0; i < rows.size(); ++i) add_all(rows[i]);
    }
    [[nodiscard]] const std::string& text() const { return text_; }

private:
    std::string text_;
};

}  // namespace

std::string fingerprint_of(const StageProblem& problem) {
    // Predecessors, successors, inputs, outputs and users follow from the rest.
    Words words;
    words.add(static_cast<std::int64_t>(problem.model));
    words.add(static_cast<std::int64_t>(problem.classes.size()));
    for (const DeviceCosts& device : problem.classes) {
        words.add(device.count);
        words.add_all(device.work);
        for (std::size_t v = 0; v < device.work.size(); ++v) words.add(static_cast<char>(device.supported.contains(v)));
        words.add(static_cast<std::int64_t>(device.overflow));
        if (device.overflow != Overflow::unlimited) words.add(device.fast_memory);
        if (device.overflow == Overflow::spill) words.add(device.spill_rate.bytes_per_second);
    }
    words.add_all(problem.scratch);
    words.add_all(problem.producer);
    words.add_rows(problem.consumers);
    words.add_all(problem.transfer);
    words.add_all(problem.bytes);
    words.add_all(problem.to_host);
    words.add_all(problem.weight_bytes);
    words.add_rows(problem.weights);
    words.add_rows(problem.operators);
    return sluice::fingerprint_of(words.text());
}

}  // namespace sluice::cost
