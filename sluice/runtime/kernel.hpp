// What the executor runs for a `forward`: the seam between the program and the library that computes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "sluice/base/diagnostic.hpp"

namespace sluice::runtime {

/// Goes before the data of every message: which input it is, and the shape where that differs from run to run.
struct MessageHeader {
    std::int64_t input = 0;  // -1: the end; shape[0] is then how many inputs there were
    std::int64_t bytes = 0;  // of data that are meant; at most the buffer's
    std::int64_t rank = -1;  // of the shape below; -1: the channel's own
    std::array<std::int64_t, 13> shape{};
};
static_assert(sizeof(MessageHeader) == 128);

struct Message {
    MessageHeader* header = nullptr;
    std::span<std::byte> data;  // 64-byte aligned
};

class StageKernel {
public:
    virtual ~StageKernel() = default;
    /// One input: reads `inputs` (in the order of the list's receives), writes `outputs` (the distinct tensors of its sends, in their
    /// order). Equal `slot`s mean equal buffers: an implementation binds once a slot. Sets bytes and shape of an output that varies.
    [[nodiscard]] virtual Result<void> run(std::int64_t slot, std::span<const Message> inputs, std::span<const Message> outputs) = 0;
};

}  // namespace sluice::runtime
