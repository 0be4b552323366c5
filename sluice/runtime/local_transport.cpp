// Ranks of one process: a message is copied by whichever side comes second.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <deque>
#include <format>
#include <map>
#include <utility>

#include "sluice/runtime/collectives.hpp"
#include "sluice/runtime/request.hpp"
#include "sluice/runtime/transport.hpp"

namespace sluice::runtime {

namespace {

struct PendingSend {
    std::span<const std::byte> data;
    std::vector<std::byte> copy;       // of a buffered send, whose sender may reuse its memory
    std::shared_ptr<Request> request;  // of a synchronous send, which completes with the receive
};

struct PendingReceive {
    std::span<std::byte> data;
    std::shared_ptr<Request> request;
};

/// What one rank has been sent and has asked for, by sender and tag; of the two queues one is empty.
struct Mailbox {
    std::mutex mutex;
    std::map<std::pair<std::int64_t, int>, std::pair<std::deque<PendingSend>, std::deque<PendingReceive>>> queues;
    std::vector<std::shared_ptr<const void>> kept;
};

struct Ranks {
    explicit Ranks(std::int64_t count, const TransportOptions& with) : mailboxes(static_cast<std::size_t>(count)), options(with) {}
    std::vector<Mailbox> mailboxes;
    TransportOptions options;
    std::mutex mutex;
    std::optional<Diagnostic> failure;
};

class LocalTransport final : public Transport {
public:
    LocalTransport(std::shared_ptr<Ranks> ranks, std::int64_t rank) : ranks_(std::move(ranks)), rank_(rank) {}

    std::int64_t rank() const override { return rank_; }
    std::int64_t size() const override { return static_cast<std::int64_t>(ranks_->mailboxes.size()); }

    std::shared_ptr<Request> isend(std::span<const std::byte> data, std::int64_t peer, int tag) override {
        auto request = std::make_shared<Request>();
        Mailbox& to = mailbox(peer);
        const std::lock_guard lock(to.mutex);
        auto& [sends, receives] = to.queues[{rank_, tag}];
        if (!receives.empty()) {
            deliver(data, receives.front(), rank_, peer, tag);
            receives.pop_front();
            request->complete();
        } else if (ranks_->options.synchronous_sends) {
            sends.push_back({data, {}, request});
        } else {
            sends.push_back({{}, {data.begin(), data.end()}, nullptr});
            sends.back().data = sends.back().copy;  // a deque's elements stay where they are
            request->complete();
        }
        return request;
    }

    std::shared_ptr<Request> irecv(std::span<std::byte> data, std::int64_t peer, int tag) override {
        auto request = std::make_shared<Request>();
        Mailbox& mine = mailbox(rank_);
        const std::lock_guard lock(mine.mutex);
        auto& [sends, receives] = mine.queues[{peer, tag}];
        if (sends.empty()) {
            receives.push_back({data, request});
        } else {
            deliver(sends.front().data, {data, request}, peer, rank_, tag);
            if (sends.front().request) sends.front().request->complete();
            sends.pop_front();
        }
        return request;
    }

    bool done(const Request& request) const override { return request.done(); }
    bool wait(const Request& request, std::stop_token stop, std::chrono::nanoseconds patience) override {
        return request.wait(stop, patience);
    }

    std::optional<Diagnostic> failure() const override {
        const std::lock_guard lock(ranks_->mutex);
        return ranks_->failure;
    }

    void keep(std::shared_ptr<const void> memory) override {
        Mailbox& mine = mailbox(rank_);
        const std::lock_guard lock(mine.mutex);
        mine.kept.push_back(std::move(memory));
    }

    void barrier() override { barrier_of(*this); }
    void all_reduce(std::span<float> values) override { all_reduce_of(*this, values); }

private:
    Mailbox& mailbox(std::int64_t rank) const {
        assert(rank >= 0 && rank < size());
        return ranks_->mailboxes[static_cast<std::size_t>(rank)];
    }

    void deliver(std::span<const std::byte> data, const PendingReceive& to, std::int64_t from, std::int64_t rank, int tag) {
        if (data.size() > to.data.size()) {
            const std::lock_guard lock(ranks_->mutex);
            if (!ranks_->failure)
                ranks_->failure = Diagnostic{DiagnosticKind::internal,
                                             std::format("rank {} sent rank {} {} B under tag {}, whose receive has room for {} B", from,
                                                         rank, data.size(), tag, to.data.size()),
                                             {},
                                             {},
                                             {}};
            return to.request->abandon();
        }
        std::ranges::copy(data, to.data.begin());
        to.request->complete();
    }

    std::shared_ptr<Ranks> ranks_;  // shared: a peer may outlive this rank
    std::int64_t rank_;
};

}  // namespace

std::vector<std::unique_ptr<Transport>> make_local_transports(std::int64_t ranks, const TransportOptions& options) {
    const auto all = std::make_shared<Ranks>(ranks, options);
    std::vector<std::unique_ptr<Transport>> transports;
    for (std::int64_t rank = 0; rank < ranks; ++rank) transports.push_back(std::make_unique<LocalTransport>(all, rank));
    return transports;
}

}  // namespace sluice::runtime
