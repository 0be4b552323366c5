// The discrete-event engine under every simulation: machines that do one timed thing after another, links that carry messages over hops,
// a ledger of memory. What happens next is the client's: a machine that has finished asks it, a message that has arrived tells it, and
// dependencies between tasks are the client's to know (it starts a task once what the task waits for is there).
// Time is integer picoseconds. Deterministic: of events at one time the one of the lower machine or link comes first, and nothing else
// orders them. O(log(machines + links)) an event, no allocation on the way but for queues that grow to their largest once.
//
// A machine or link has at most one event to come, so the queue is as long as the hardware is large, not as the run is long: a 4-ary heap
// of 16-byte entries, four to a cache line, stays in the first or second cache for thousands of devices.
#pragma once

#include <algorithm>
#include <cassert>
#include <cstdint>
#include <utility>
#include <vector>

#include "sluice/base/ids.hpp"
#include "sluice/base/units.hpp"
#include "sluice/base/wide.hpp"

namespace sluice::simulate {

using MachineId = Id<struct MachineTag>;
using LinkId = Id<struct LinkTag>;
using MessageId = Id<struct MessageTag>;
using Time = std::int64_t;  // picoseconds since the start
inline constexpr Time kShared = -1;
inline constexpr std::uint32_t kNone = ~std::uint32_t{0};  // the number of no message, process, channel …

/// How messages on one link get on: not at all in each other's way, one after another as they came, or each with an equal share of the
/// rate.
enum class LinkSharing : std::uint8_t { free, fifo, fair };

class EventQueue {
public:
    struct Event {
        Time time;
        std::uint32_t id, stamp;
    };
    [[nodiscard]] bool empty() const { return heap_.empty(); }
    [[nodiscard]] const Event& top() const { return heap_.front(); }
    void push(Event event) {
        std::size_t at = heap_.size();
        heap_.push_back(event);
        while (at > 0) {
            const std::size_t parent = (at - 1) / kArity;
            if (!before(event, heap_[parent])) break;
            heap_[at] = heap_[parent];
            at = parent;
        }
        heap_[at] = event;
    }
    void pop() {
        const Event last = heap_.back();
        heap_.pop_back();
        const std::size_t size = heap_.size();
        if (size == 0) return;
        std::size_t at = 0;
        for (std::size_t child = 1; child < size; child = at * kArity + 1) {
            std::size_t least = child;
            for (std::size_t c = child + 1, end = std::min(child + kArity, size); c < end; ++c)
                if (before(heap_[c], heap_[least])) least = c;
            if (!before(heap_[least], last)) break;
            heap_[at] = heap_[least];
            at = least;
        }
        heap_[at] = last;
    }

private:
    static constexpr std::size_t kArity = 4;
    static bool before(const Event& a, const Event& b) { return a.time < b.time || (a.time == b.time && a.id < b.id); }
    std::vector<Event> heap_;
};

/// Bytes in use on each device, and the most there ever were.
class Ledger {
public:
    explicit Ledger(std::size_t devices) : accounts_(devices) {}
    void add(std::size_t device, std::int64_t bytes) {
        Account& account = accounts_[device];
        account.now += bytes;
        assert(account.now >= 0);
        account.peak = std::max(account.peak, account.now);
    }
    [[nodiscard]] Bytes now(std::size_t device) const { return {accounts_[device].now}; }
    [[nodiscard]] Bytes peak(std::size_t device) const { return {accounts_[device].peak}; }

private:
    struct Account {
        std::int64_t now = 0, peak = 0;
    };
    std::vector<Account> accounts_;
};

/// On its way: `hops` links one after another, each occupied for `on_wire` from when the message starts on it, which is not before it
/// starts on the link before (cut-through: without others in the way it is on all of them at once).
struct Message {
    std::uint64_t tag = 0;  // the client's
    std::uint32_t key = 0;  // the client's
    std::uint32_t hop = 0;  // fifo: the hop it is on or waits for
    std::uint32_t hops = 0;
    std::uint32_t open = 0;  // hops that have not carried it to its end
    std::uint32_t next = 0;  // in a link's queue, or in the list of free ones
    Time on_wire = 0;
};

/// `Client` has
///     void finished(MachineId);                          the machine is idle again
///     void delivered(const Message&);                    its last hop has carried it to its end
///     LinkId link_of(const Message&, std::uint32_t hop);
///     void carried(LinkId, const Message&, Time start);  the link has carried it, from `start` to now (kShared: among others)
///     bool proceed();                                    asked every few thousand events; false ends the run
///     void began(LinkId, const Message&);                may be left out; fifo: the message starts on the link
///     void settled();                                    may be left out: all that happens now has happened, time is about to go on
template <typename Client>
class Engine {
public:
    Engine(Client& client, std::size_t machines, std::size_t links, LinkSharing sharing)
        : client_(client), sharing_(sharing), machines_(machines), links_(links) {}

    [[nodiscard]] Time now() const { return now_; }
    [[nodiscard]] std::int64_t events() const { return events_; }

    /// The machine, idle, is busy for `duration` > 0.
    void start(MachineId machine, Time duration) {
        Machine& m = machines_[machine.index()];
        m.until = now_ + duration;
        m.busy += duration;
        queue_.push({m.until, static_cast<std::uint32_t>(machine.index()), 0});
    }
    /// Up to now.
    [[nodiscard]] Time busy_time(MachineId machine) const {
        const Machine& m = machines_[machine.index()];
        return m.busy - std::max<Time>(0, m.until - now_);
    }

    /// `hops` > 0 and `on_wire` > 0, and sharing is not free.
    void send(std::uint64_t tag, std::uint32_t key, std::uint32_t hops, Time on_wire) {
        std::uint32_t id = free_;
        if (id == kNone) {
            id = static_cast<std::uint32_t>(messages_.size());
            messages_.emplace_back();
        } else {
            free_ = messages_[id].next;
        }
        messages_[id] = {.tag = tag, .key = key, .hop = 0, .hops = hops, .open = hops, .next = kNone, .on_wire = on_wire};
        if (sharing_ == LinkSharing::fair) {
            for (std::uint32_t hop = 0; hop < hops; ++hop) join(client_.link_of(messages_[id], hop), id);
        } else {
            request(id);
        }
    }
    [[nodiscard]] Time busy_time(LinkId link) const {
        const Link& l = links_[link.index()];
        if (sharing_ == LinkSharing::fair) return l.busy + (l.sharing.empty() ? 0 : now_ - l.since);
        return l.busy - std::max<Time>(0, l.until - now_);
    }
    /// Most messages that ever waited (fifo), or that were there beside the first (fair).
    [[nodiscard]] std::int64_t longest_queue(LinkId link) const { return links_[link.index()].longest; }

    /// No further event after this one.
    void stop() { stopped_ = true; }

    /// What the future of machines and links depends on, relative to now, as numbers: two equal states go on alike. `write` and
    /// `write_message`, which writes what the client's tag and key mean, say whether to go on. Sharing is not fair.
    bool state(auto&& write, auto&& write_message) const {
        const auto write_place = [&](std::uint32_t id) {
            return write_message(messages_[id]) && write(messages_[id].hop) && write(messages_[id].open);
        };
        for (const Machine& m : machines_)
            if (!write(std::max<Time>(0, m.until - now_))) return false;
        for (const Link& link : links_) {
            if (link.current == kNone) {
                if (!write(-1)) return false;
                continue;
            }
            if (!write(link.until - now_) || !write_place(link.current) || !write(link.waiting)) return false;
            for (std::uint32_t id = link.head; id != kNone; id = messages_[id].next)
                if (!write_place(id)) return false;
        }
        return true;
    }

    /// Until nothing is to come, or the client says stop.
    void run() {
        while (!queue_.empty() && !stopped_) {
            const EventQueue::Event event = queue_.top();
            queue_.pop();
            if (event.id < machines_.size()) {
                now_ = event.time;
                client_.finished(MachineId(event.id));
            } else if (Link& link = links_[event.id - machines_.size()]; link.stamp == event.stamp) {
                now_ = event.time;
                if (sharing_ == LinkSharing::fair)
                    leave(link, event.id);
                else
                    release(link, event.id);
            } else {
                continue;  // a fair link that has been given another end since
            }
            if constexpr (requires { client_.settled(); })
                if (queue_.empty() || queue_.top().time != now_) client_.settled();
            if ((++events_ & (kAskEvery - 1)) == 0 && !client_.proceed()) return;
        }
    }

private:
    static constexpr std::int64_t kAskEvery = 4096;
    static constexpr int kFine = 16;  // a fair link counts service in 2^-16 ps

    struct Machine {
        Time until = 0, busy = 0;
    };
    struct Share {
        Wide end;  // in service that each message on the link has had
        std::uint32_t message;
        friend bool operator<(const Share& a, const Share& b) { return std::pair(b.end, b.message) < std::pair(a.end, a.message); }
    };
    struct Link {
        Time until = 0, busy = 0;
        std::uint32_t current = kNone, head = kNone, tail = kNone;  // fifo
        std::uint32_t stamp = 0;
        std::int64_t waiting = 0, longest = 0;
        Time since = 0;  // fair: when service was last brought up to date
        Wide service = 0;
        std::vector<Share> sharing;  // a heap, the first to end on top
    };

    void carried(std::uint32_t id) {
        if (--messages_[id].open > 0) return;
        const Message message = messages_[id];  // the client may send, which moves messages
        messages_[id].next = free_;
        free_ = id;
        client_.delivered(message);
    }

    // fifo: on a link that is busy the message waits at the end of its queue; what starts on a link asks for the next one at once.
    void request(std::uint32_t id) {
        while (true) {
            const std::size_t at = client_.link_of(messages_[id], messages_[id].hop).index();
            Link& link = links_[at];
            if (link.current != kNone) {
                messages_[id].next = kNone;
                (link.tail == kNone ? link.head : messages_[link.tail].next) = id;
                link.tail = id;
                link.longest = std::max(link.longest, ++link.waiting);
                return;
            }
            if (!begin(link, static_cast<std::uint32_t>(machines_.size() + at), id)) return;
        }
    }
    /// True when there is a next hop to ask for.
    bool begin(Link& link, std::uint32_t event, std::uint32_t id) {
        link.current = id;
        link.until = now_ + messages_[id].on_wire;
        link.busy += messages_[id].on_wire;
        queue_.push({link.until, event, link.stamp});
        if constexpr (requires { client_.began(LinkId(0), messages_[id]); }) client_.began(LinkId(event - machines_.size()), messages_[id]);
        return ++messages_[id].hop < messages_[id].hops;
    }
    void release(Link& link, std::uint32_t event) {
        const std::uint32_t done = std::exchange(link.current, kNone), next = link.head;
        client_.carried(LinkId(event - machines_.size()), messages_[done], now_ - messages_[done].on_wire);
        if (next != kNone) {
            link.head = messages_[next].next;
            if (link.head == kNone) link.tail = kNone;
            --link.waiting;
            if (begin(link, event, next)) request(next);
        }
        carried(done);
    }

    // fair: a link gives each message on it an equal share; `service` is what each has had since the start.
    void update(Link& link) {
        if (!link.sharing.empty()) {
            link.service += (static_cast<Wide>(now_ - link.since) << kFine) / static_cast<Wide>(link.sharing.size());
            link.busy += now_ - link.since;
        }
        link.since = now_;
    }
    void schedule(Link& link, std::uint32_t event) {
        ++link.stamp;
        if (link.sharing.empty()) return;
        const Wide left = (link.sharing.front().end - link.service) * static_cast<Wide>(link.sharing.size());
        const Wide whole = (left + (Wide{1} << kFine) - 1) >> kFine;
        queue_.push({now_ + static_cast<Time>(whole), event, link.stamp});
    }
    void join(LinkId at, std::uint32_t id) {
        Link& link = links_[at.index()];
        update(link);
        link.sharing.push_back({link.service + (static_cast<Wide>(messages_[id].on_wire) << kFine), id});
        std::push_heap(link.sharing.begin(), link.sharing.end());
        link.longest = std::max(link.longest, static_cast<std::int64_t>(link.sharing.size()) - 1);
        schedule(link, static_cast<std::uint32_t>(machines_.size() + at.index()));
    }
    void leave(Link& link, std::uint32_t event) {
        update(link);
        ended_.clear();
        while (!link.sharing.empty() && link.sharing.front().end <= link.service) {
            std::pop_heap(link.sharing.begin(), link.sharing.end());
            ended_.push_back(link.sharing.back().message);
            link.sharing.pop_back();
        }
        schedule(link, event);
        // Delivering may send on this very link, not end anything on it: ended_ stays as it is.
        for (const std::uint32_t id : ended_) {
            client_.carried(LinkId(event - machines_.size()), messages_[id], kShared);
            carried(id);
        }
    }

    Client& client_;
    const LinkSharing sharing_;
    Time now_ = 0;
    std::int64_t events_ = 0;
    EventQueue queue_;
    std::vector<Machine> machines_;
    std::vector<Link> links_;
    std::vector<Message> messages_;
    std::uint32_t free_ = kNone;
    bool stopped_ = false;
    std::vector<std::uint32_t> ended_;
};

}  // namespace sluice::simulate
