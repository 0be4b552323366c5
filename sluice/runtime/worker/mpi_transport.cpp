#include "sluice/runtime/worker/mpi_transport.hpp"

#include <mpi.h>
#include <pthread.h>
#include <sys/prctl.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <condition_variable>
#include <format>
#include <functional>
#include <future>
#include <mutex>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "sluice/runtime/collectives.hpp"
#include "sluice/runtime/reporter.hpp"
#include "sluice/runtime/request.hpp"

namespace sluice::runtime {

namespace {

std::string text_of(int error) {
    std::array<char, MPI_MAX_ERROR_STRING> text{};
    int length = 0;
    MPI_Error_string(error, text.data(), &length);
    return {text.data(), static_cast<std::size_t>(length)};
}

/// A send or receive as it was asked for.
struct Asked {
    bool send = false;
    std::byte* data = nullptr;  // of a send: never written
    std::size_t bytes = 0;
    int peer = 0, tag = 0;
    std::shared_ptr<Request> request;

    std::string text() const {
        return std::format("{} of {} B under tag {} {} rank {}", send ? "send" : "receive", bytes, tag, send ? "to" : "from", peer);
    }
};

/// As many bytes as `bytes`, as one element where an int cannot count them.
class ByteType {
public:
    ByteType(std::size_t bytes, std::size_t largest_count) {
        if (bytes <= largest_count) {
            count_ = static_cast<int>(bytes);
            return;
        }
        MPI_Datatype block = MPI_DATATYPE_NULL;
        MPI_Type_contiguous(static_cast<int>(largest_count), MPI_BYTE, &block);
        const std::size_t blocks = bytes / largest_count;
        const std::array<int, 2> counts{static_cast<int>(blocks), static_cast<int>(bytes % largest_count)};
        const std::array<MPI_Aint, 2> places{0, static_cast<MPI_Aint>(blocks * largest_count)};
        const std::array<MPI_Datatype, 2> types{block, MPI_BYTE};
        MPI_Type_create_struct(2, counts.data(), places.data(), types.data(), &type_);
        MPI_Type_commit(&type_);
        MPI_Type_free(&block);
        count_ = 1;
    }
    ~ByteType() {
        if (type_ != MPI_BYTE) MPI_Type_free(&type_);  // requests under way keep it
    }
    ByteType(const ByteType&) = delete;
    ByteType& operator=(const ByteType&) = delete;

    MPI_Datatype type() const { return type_; }
    int count() const { return count_; }

private:
    MPI_Datatype type_ = MPI_BYTE;
    int count_ = 0;
};

class MpiTransport final : public Transport {
public:
    explicit MpiTransport(const MpiOptions& options) : options_(options) {}

    /// Returns when MPI runs.
    Result<void> start() {
        std::promise<Result<void>> started;
        auto result = started.get_future();
        thread_ = std::jthread([this, &started] {
            if (auto begun = begin(); !begun) return started.set_value(std::move(begun));
            started.set_value({});
            communicate();
        });
        return result.get();
    }

    ~MpiTransport() override {
        {
            const std::lock_guard lock(mutex_);
            closing_ = true;
            changed_.notify_one();
        }
        if (thread_.joinable()) thread_.join();
        // Peers may still read what is under way, and would take what comes to lie there for a message: it stays until the process ends.
        if (!clean_ && !kept_.empty()) new std::vector(std::move(kept_));
    }

    std::int64_t rank() const override { return rank_; }
    std::int64_t size() const override { return size_; }

    std::shared_ptr<Request> isend(std::span<const std::byte> data, std::int64_t peer, int tag) override {
        return ask({true, const_cast<std::byte*>(data.data()), data.size(), static_cast<int>(peer), tag, nullptr});
    }
    std::shared_ptr<Request> irecv(std::span<std::byte> data, std::int64_t peer, int tag) override {
        return ask({false, data.data(), data.size(), static_cast<int>(peer), tag, nullptr});
    }
    bool done(const Request& request) const override { return request.done(); }
    bool wait(const Request& request, std::stop_token stop, std::chrono::nanoseconds patience) override {
        return request.wait(stop, patience);
    }

    std::optional<Diagnostic> failure() const override {
        const std::lock_guard lock(mutex_);
        return failure_;
    }
    void keep(std::shared_ptr<const void> memory) override {
        const std::lock_guard lock(mutex_);
        kept_.push_back(std::move(memory));
    }

    void barrier() override { barrier_of(*this); }
    void all_reduce(std::span<float> values) override { all_reduce_of(*this, values); }

private:
    std::shared_ptr<Request> ask(Asked asked) {
        assert(asked.peer >= 0 && asked.peer < size_);
        auto request = asked.request = std::make_shared<Request>();
        const std::lock_guard lock(mutex_);
        queue_.push_back(std::move(asked));
        work_.store(true, std::memory_order_relaxed);
        changed_.notify_one();
        return request;
    }

    // --- the communication thread

    Result<void> begin() {
        pthread_setname_np(pthread_self(), "sluice-mpi");
        prctl(PR_SET_TIMERSLACK, 1000);  // ns; the default of 50 us would more than double the first sleeps
        int granted = 0;
        // This thread alone calls MPI, and it is the one that started it.
        if (const int error = MPI_Init_thread(nullptr, nullptr, MPI_THREAD_FUNNELED, &granted); error != MPI_SUCCESS)
            return fail({DiagnosticKind::internal, std::format("MPI does not start: {}", text_of(error)), {}, {}, {}});
        MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
        MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
        MPI_Comm_size(MPI_COMM_WORLD, &size_);
        return {};
    }

    void communicate() {
        using namespace std::chrono_literals;
        constexpr int tests_before_sleep = 200;
        int idle = 0;
        Clock::time_point since;  // the last event
        std::vector<Asked> fresh;
        while (true) {
            if (work_.load(std::memory_order_relaxed)) {
                {
                    const std::lock_guard lock(mutex_);
                    std::swap(fresh, queue_);
                    work_.store(false, std::memory_order_relaxed);
                }
                for (Asked& asked : fresh) begin(std::move(asked));
                fresh.clear();
                idle = 0;
            }
            if (test()) {
                idle = 0;
                continue;
            }
            if (idle++ == 0) since = Clock::now();
            if (idle < tests_before_sleep && !active_.empty()) continue;
            std::unique_lock lock(mutex_);
            const auto wake = [&] { return closing_ || work_.load(std::memory_order_relaxed); };
            if (active_.empty()) {
                changed_.wait(lock, wake);
            } else {
                changed_.wait_for(lock, std::clamp<Clock::duration>((Clock::now() - since) / 8, 20us, 1000us), wake);
            }
            if (closing_ && !work_.load(std::memory_order_relaxed)) break;
        }
        clean_ = active_.empty() && !failure();
        if (clean_) MPI_Finalize();
    }

    void begin(Asked asked) {
        if (failed_) return asked.request->abandon();
        const ByteType bytes(asked.bytes, options_.largest_count);
        MPI_Request request = MPI_REQUEST_NULL;
        const auto start = options_.synchronous_sends ? MPI_Issend : MPI_Isend;
        const int error = asked.send ? start(asked.data, bytes.count(), bytes.type(), asked.peer, asked.tag, MPI_COMM_WORLD, &request)
                                     : MPI_Irecv(asked.data, bytes.count(), bytes.type(), asked.peer, asked.tag, MPI_COMM_WORLD, &request);
        if (error != MPI_SUCCESS) return fails(asked, error);
        active_.push_back(request);
        owners_.push_back(std::move(asked));
    }

    /// Completes what is complete; whether anything was.
    bool test() {
        if (active_.empty()) return false;
        indices_.resize(active_.size());
        statuses_.resize(active_.size());
        int count = 0;
        const int error = MPI_Testsome(static_cast<int>(active_.size()), active_.data(), &count, indices_.data(), statuses_.data());
        if (error != MPI_SUCCESS && error != MPI_ERR_IN_STATUS) {
            fails(Asked(owners_.front()), error);
            return true;
        }
        if (count == MPI_UNDEFINED || count == 0) return false;
        std::optional<std::pair<Asked, int>> failed;
        for (int i = 0; i < count; ++i) {
            const Asked& asked = owners_[static_cast<std::size_t>(indices_[static_cast<std::size_t>(i)])];
            const int status = error == MPI_SUCCESS ? MPI_SUCCESS : statuses_[static_cast<std::size_t>(i)].MPI_ERROR;
            if (status == MPI_SUCCESS)
                asked.request->complete();
            else if (!failed)
                failed.emplace(asked, status);
        }
        if (failed) {
            fails(failed->first, failed->second);
            return true;
        }
        // From the last on, so that what moves into a gap is never itself complete.
        std::sort(indices_.begin(), indices_.begin() + count, std::greater<>());
        for (int i = 0; i < count; ++i) {
            const auto gap = static_cast<std::size_t>(indices_[static_cast<std::size_t>(i)]);
            active_[gap] = active_.back();
            active_.pop_back();
            if (gap + 1 != owners_.size()) owners_[gap] = std::move(owners_.back());
            owners_.pop_back();
        }
        return true;
    }

    /// Ends everything: after a failed message the order of the others is not to be trusted.
    void fails(const Asked& asked, int error) {  // not one of owners_ itself
        failed_ = true;
        {
            const std::lock_guard lock(mutex_);
            if (!failure_)
                failure_ = Diagnostic{DiagnosticKind::internal,
                                      std::format("rank {}: the {} failed in MPI: {}", rank_, asked.text(), text_of(error)),
                                      {},
                                      {},
                                      {}};
        }
        asked.request->abandon();
        for (const Asked& other : owners_) other.request->abandon();
        owners_.clear();
        active_.clear();
    }

    const MpiOptions options_;
    int rank_ = 0, size_ = 1;

    mutable std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<Asked> queue_;
    std::atomic<bool> work_ = false;  // queue_ is not empty
    bool closing_ = false;
    std::optional<Diagnostic> failure_;
    std::vector<std::shared_ptr<const void>> kept_;

    // The communication thread's own.
    std::vector<MPI_Request> active_;
    std::vector<Asked> owners_;  // of active_
    std::vector<int> indices_;
    std::vector<MPI_Status> statuses_;
    bool failed_ = false, clean_ = false;

    std::jthread thread_;
};

}  // namespace

Result<std::unique_ptr<Transport>> make_mpi_transport(const MpiOptions& options) {
    auto transport = std::make_unique<MpiTransport>(options);
    if (auto started = transport->start(); !started) return fail(std::move(started.error()));
    return transport;
}

}  // namespace sluice::runtime
