// The host's side of a job: inputs from an .npz file or made up, outputs to an .npz file or counted only.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "sluice/onnx/manifest.hpp"
#include "sluice/runtime/job.hpp"
#include "sluice/runtime/npz.hpp"
#include "sluice/runtime/pipeline.hpp"

namespace sluice::runtime {

/// How many inputs a file holds: its arrays are the model's inputs by name, each of the input's shape (the same for every input) or with
/// one more axis before it, whose size is the count; 1 when none has. An input that varies may be smaller than the manifest says.
/// Diagnostics: NpzFile's; an array missing, of another type or shape, of no input (nearest match); counts that differ; none at all.
[[nodiscard]] Result<std::int64_t> inputs_in(const std::filesystem::path& file, const onnx::Manifest& manifest);

/// Yields a model's inputs. One thread at a time.
class InputSource {
public:
    /// Made-up inputs are `job.distinct_inputs` in turn, fewer where they would fill more than 256 MiB; a file's inputs are used in turn
    /// too.
    [[nodiscard]] static Result<std::unique_ptr<InputSource>> make(const Job& job, const onnx::Manifest& manifest);
    virtual ~InputSource() = default;
    /// In a file; none: made up, without end.
    [[nodiscard]] virtual std::optional<std::int64_t> count() const = 0;
    /// Fills `message` for a reader of tensor `tensor` (of manifest.inputs). Each reader asks for inputs 0, 1, …
    [[nodiscard]] virtual Result<void> fill(std::int64_t input, std::size_t reader, std::size_t tensor, const Message& message) = 0;
};

class JobIo final : public HostIo {
public:
    /// `delivered` is called with the first output, then at most ten times a second, and by finish().
    [[nodiscard]] static Result<std::unique_ptr<JobIo>> make(const Job& job, const onnx::Manifest& manifest,
                                                             std::function<void(const Delivered&)> delivered);

    /// The common start: what seconds count from.
    void begin() { start_ = std::chrono::steady_clock::now(); }
    bool wanted(std::int64_t input) override;
    Result<void> feed(std::int64_t input, std::size_t channel, const Message& message) override;
    Result<void> collect(std::int64_t input, std::span<const Message> messages) override;

    /// No input after those already fed. From any thread.
    void drain() { drained_ = true; }
    /// Makes the output file whole. Once, after the last output.
    [[nodiscard]] Result<void> finish();

private:
    struct Kept {  // a model output that goes to the file
        std::string name;
        onnx::StageTensor as;
        std::optional<std::size_t> channel = {};  // of the collect list; none: model input `tensor` as it is
        std::size_t tensor = 0;
    };

    JobIo() = default;
    [[nodiscard]] Result<void> open_output(const Job& job, const onnx::Manifest& manifest);
    void tell();

    std::optional<std::int64_t> inputs_;
    std::optional<double> seconds_;
    std::function<void(const Delivered&)> delivered_;
    std::atomic<bool> drained_ = false;
    std::unique_ptr<InputSource> source_, passed_on_;  // of feed, of collect
    std::vector<std::size_t> fed_;                     // tensor of each channel of the feed list
    std::vector<Kept> kept_;
    std::optional<NpzWriter> writer_;
    std::vector<std::byte> scratch_;
    std::int64_t collected_ = 0, told_ = 0;
    // From begin() on; feed and collect only read start_.
    std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now(), last_told_;
};

}  // namespace sluice::runtime
