// Private to this layer. A batch of slots over a number of threads; who runs which slot does not matter to the caller's results.
#pragma once

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/task_arena.h>

#include <algorithm>
#include <cstddef>

namespace sluice::inference {

class Workers {
public:
    explicit Workers(int threads) : arena_(std::max(threads, 1)) {}
    /// Numbers of threads are below this: one scratch memory each.
    [[nodiscard]] std::size_t count() const { return static_cast<std::size_t>(arena_.max_concurrency()); }
    /// work(slot, thread) for every slot below `slots`.
    template <typename Work>
    void run(std::size_t slots, Work&& work) {
        if (count() == 1 || slots == 1) {
            for (std::size_t slot = 0; slot < slots; ++slot) work(slot, std::size_t{0});
            return;
        }
        arena_.execute([&] {
            tbb::parallel_for(
                std::size_t{0}, slots,
                [&](std::size_t slot) { work(slot, static_cast<std::size_t>(tbb::this_task_arena::current_thread_index())); },
                tbb::simple_partitioner{});
        });
    }

private:
    tbb::task_arena arena_;
};

}  // namespace sluice::inference
