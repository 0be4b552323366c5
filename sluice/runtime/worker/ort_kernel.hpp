// A stage's model as the executor's kernel: ONNX Runtime reads straight from receive buffers and writes straight into send buffers.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "sluice/onnx/manifest.hpp"
#include "sluice/runtime/kernel.hpp"

namespace sluice::runtime {

struct KernelOptions {
    std::int64_t threads = 1;
    int optimisation = 99;
};

/// One run of a stage by itself.
struct StageTime {
    double wall_ms = 0, cpu_ms = 0;
};

class OrtKernel final : public StageKernel {
public:
    /// `inputs`, `outputs`: names of the tensors in the order in which run() gets their messages. Diagnostics: a stage model that is absent
    /// or that ONNX Runtime refuses; one that is not as the manifest says; tensors that the program passes and the stage lacks, or the
    /// reverse.
    [[nodiscard]] static Result<std::unique_ptr<OrtKernel>> make(const onnx::StageModel& stage, const std::filesystem::path& folder,
                                                                 std::span<const std::string> inputs, std::span<const std::string> outputs,
                                                                 const KernelOptions& options);
    ~OrtKernel() override;
    OrtKernel(const OrtKernel&) = delete;
    OrtKernel& operator=(const OrtKernel&) = delete;

    /// A slot is bound at its first use. A tensor that varies: an input is bound anew, in place, with the shape of its header; an output is
    /// made by ONNX Runtime, copied, its shape put in the header.
    [[nodiscard]] Result<void> run(std::int64_t slot, std::span<const Message> inputs, std::span<const Message> outputs) override;

    /// Runs on made-up inputs in buffers of their own: at least `least` times, then until `most` runs or `seconds` are over. Made-up
    /// numbers may be none that the stage can work with (indices, sizes); zeros are tried next, and if those fail too the result is empty.
    [[nodiscard]] std::vector<StageTime> rehearse(std::int64_t least, std::int64_t most, double seconds);

private:
    struct State;
    explicit OrtKernel(std::unique_ptr<State> state);
    std::unique_ptr<State> state_;
};

}  // namespace sluice::runtime
