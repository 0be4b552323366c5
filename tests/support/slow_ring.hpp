// The ring again, from the words of simulate/ring.hpp alone and in the plainest way: picosecond by picosecond, every task of every input a
// record, buffers counted by looking at all records. Shares no code with the simulator; only for programs of small times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "sluice/simulate/ring.hpp"

namespace sluice::test {

class SlowRing {
public:
    SlowRing(const simulate::RingProgram& program, std::int64_t inputs) : program_(program), inputs_(inputs) {
        ahead_ = (program.send_buffers + 2) * program.chips;
        for (std::uint32_t c = 0; c < program.chips; ++c) {
            std::int64_t most = 0;
            for (const simulate::RingMessage& m : program.messages)
                if (m.to == c) most = std::max(most, m.buffers);
            ahead_ += most;
        }
        chips_.resize(program.chips);
        links_.resize(program.chips);
        for (std::uint32_t m = 0; m < program.messages.size(); ++m) copies_.emplace_back();
        segments_.resize(program.chips);
        for (std::uint32_t s = 0; s < program.segments.size(); ++s) segments_[program.segments[s].chip].push_back(s);
    }

    /// When input i was done everywhere; until there are so many or the time is over.
    std::vector<std::int64_t> outputs(std::size_t count, std::int64_t last_time) {
        begin_all();
        for (now_ = 0; done_.size() < count && now_ < last_time; ++now_) {
            if (now_ > 0) end_all();
            begin_all();
        }
        return done_;
    }

private:
    enum class Kind { none, compute, stream, in, out };
    struct Engine {
        Kind kind = Kind::none;
        std::uint32_t what = 0;
        std::int64_t input = 0, end = 0;
    };
    struct Stop {  // of a copy on a chip on its way
        bool arrived = false, taken = false, read = false, passed = false;
    };
    struct Copy {  // of a message, for one input
        bool filling = false, begun = false, out = false;
        std::vector<Stop> stops;
    };
    struct Chip {
        Engine engines[3];  // compute, in, out; serial: only the first
        std::size_t segment = 0;
        std::int64_t input = 0;
        std::vector<std::pair<std::uint32_t, std::int64_t>> sends, arrivals;
    };
    struct OnLink {
        std::uint32_t message = 0;
        std::int64_t input = 0;
        std::uint32_t hop = 0;
    };
    struct Link {
        bool busy = false;
        OnLink current;
        std::int64_t end = 0;
        std::vector<OnLink> queue;
    };

    const simulate::RingMessage& message(std::uint32_t m) const { return program_.messages[m]; }
    std::size_t stops(std::uint32_t m) const { return message(m).from_host ? 1 : message(m).to - message(m).from; }
    Copy& copy(std::uint32_t m, std::int64_t input) {
        while (std::ssize(copies_[m]) <= input) {
            Copy fresh;
            fresh.stops.resize(stops(m));
            copies_[m].push_back(fresh);
        }
        return copies_[m][static_cast<std::size_t>(input)];
    }
    std::uint32_t chip_of(std::uint32_t m, std::size_t stop) const {
        return message(m).from_host ? message(m).to : message(m).from + 1 + static_cast<std::uint32_t>(stop);
    }
    std::size_t stop_at(std::uint32_t m, std::uint32_t chip) const { return message(m).from_host ? 0 : chip - message(m).from - 1; }
    bool reads(std::uint32_t m, std::uint32_t chip) const { return message(m).from_host || ((message(m).readers >> chip) & 1) != 0; }
    bool read_by_segment(std::uint32_t m, std::uint32_t chip) const {
        for (const std::uint32_t s : segments_[chip])
            for (const std::uint32_t other : program_.last_readings[s])
                if (other == m) return true;
        return false;
    }
    bool has_left(std::uint32_t m, std::int64_t input) {
        const Copy& c = copy(m, input);
        return c.out && (message(m).to == message(m).from || c.stops.front().arrived);
    }
    bool buffer_free_again(std::uint32_t m, std::size_t stop, std::int64_t input) {
        const std::uint32_t chip = chip_of(m, stop);
        const Stop& at = copy(m, input).stops[stop];
        if (read_by_segment(m, chip) && !at.read) return false;
        return message(m).from_host || chip == message(m).to || at.passed;
    }
    bool buffers_for(std::uint32_t m, std::int64_t input) {
        for (std::size_t stop = 0; stop < stops(m); ++stop) {
            std::int64_t held = 0;
            for (std::int64_t i = 0; i < input; ++i)
                if (!buffer_free_again(m, stop, i)) ++held;
            if (held >= message(m).buffers) return false;
        }
        return true;
    }

    // --- ends ---------------------------------------------------------------------------------------------------------

    void end_all() {
        for (std::uint32_t c = 0; c < program_.chips; ++c)
            for (Engine& engine : chips_[c].engines)
                if (engine.kind != Kind::none && engine.kind != Kind::stream && engine.end == now_) finish(c, engine);
        if (!channel_.empty() && channel_end_ == now_) {
            const std::uint32_t c = channel_.front();
            channel_.erase(channel_.begin());
            begin_channel();
            work(c);
        }
        for (std::uint32_t l = 0; l < links_.size(); ++l)
            if (links_[l].busy && links_[l].end == now_) {
                const OnLink done = links_[l].current;
                links_[l].busy = false;
                carried(l, done);
                if (!links_[l].queue.empty()) {
                    const OnLink next = links_[l].queue.front();
                    links_[l].queue.erase(links_[l].queue.begin());
                    occupy(l, next);
                }
            }
        count_outputs();
    }
    void finish(std::uint32_t c, Engine& engine) {
        const Engine was = engine;
        engine.kind = Kind::none;
        Chip& chip = chips_[c];
        if (was.kind == Kind::in) {
            copy(was.what, was.input).stops[stop_at(was.what, c)].taken = true;
        } else if (was.kind == Kind::out) {
            copy(was.what, was.input).out = true;
        } else {
            const std::uint32_t s = segments_[c][chip.segment];
            for (const std::uint32_t m : program_.fills[s]) chip.sends.push_back({m, chip.input});
            for (const std::uint32_t m : program_.last_readings[s]) copy(m, chip.input).stops[stop_at(m, c)].read = true;
            if (++chip.segment == segments_[c].size()) {
                chip.segment = 0;
                ++chip.input;
            }
        }
    }
    void comes(std::uint32_t l, const OnLink& what) {
        if (reads(what.message, l + 1)) chips_[l + 1].arrivals.push_back({what.message, what.input});
    }
    void carried(std::uint32_t l, const OnLink& done) {
        const std::size_t stop = stop_at(done.message, l + 1);
        Copy& c = copy(done.message, done.input);
        c.stops[stop].arrived = true;
        if (stop > 0) c.stops[stop - 1].passed = true;
    }
    void count_outputs() {
        for (;;) {
            const auto input = std::ssize(done_);
            for (std::uint32_t c = 0; c < program_.chips; ++c)
                if (!segments_[c].empty() && chips_[c].input <= input) return;
            for (std::uint32_t m = 0; m < program_.messages.size(); ++m)
                if (!message(m).from_host && message(m).to == message(m).from && !copy(m, input).out) return;
            done_.push_back(now_);
            if (done_.size() > 100'000) return;
        }
    }

    // --- beginnings ---------------------------------------------------------------------------------------------------

    void occupy(std::uint32_t l, const OnLink& what) {
        Link& link = links_[l];
        if (link.busy) {
            link.queue.push_back(what);
            return;
        }
        link.busy = true;
        link.current = what;
        link.end = now_ + message(what.message).wire.count();
        comes(l, what);
        if (l + 1 < message(what.message).to) occupy(l + 1, {what.message, what.input, what.hop + 1});
    }
    Engine& engine(std::uint32_t c, std::size_t which) { return chips_[c].engines[program_.serial ? 0 : which]; }
    void begin_all() {
        for (bool more = true; more;) {
            more = false;
            for (std::uint32_t c = 0; c < program_.chips; ++c) more |= begin_on(c);
        }
    }
    bool begin_on(std::uint32_t c) {
        for (std::uint32_t m = 0; m < program_.messages.size(); ++m)
            if (message(m).from_host && message(m).to == c) {
                auto next = static_cast<std::int64_t>(0);
                while (next < std::ssize(copies_[m]) && copy(m, next).begun) ++next;
                for (; next < inputs_ && next < std::ssize(done_) + ahead_ && buffers_for(m, next); ++next) {
                    copy(m, next).begun = true;
                    chips_[c].arrivals.push_back({m, next});
                }
            }
        bool begun = false;
        if (engine(c, 2).kind == Kind::none) begun |= begin_out(c);
        if ((!program_.serial || !begun) && engine(c, 1).kind == Kind::none) begun |= begin_in(c);
        if ((!program_.serial || !begun) && engine(c, 0).kind == Kind::none) begun |= begin_segment(c);
        count_outputs();
        return begun;
    }
    void start(std::uint32_t c, std::size_t which, Kind kind, std::uint32_t what, std::int64_t input, std::int64_t time) {
        Engine& e = engine(c, which);
        e = {kind, what, input, now_ + time};
        if (time == 0) finish(c, e);
    }
    bool begin_out(std::uint32_t c) {
        auto& sends = chips_[c].sends;
        for (std::size_t i = 0; i < sends.size(); ++i) {
            const auto [m, input] = sends[i];
            if (!buffers_for(m, input)) continue;
            sends.erase(sends.begin() + static_cast<std::ptrdiff_t>(i));
            if (message(m).to > message(m).from) {
                if (message(m).wire.count() > 0) {
                    occupy(c, {m, input, 0});
                } else {
                    for (std::uint32_t l = c; l < message(m).to; ++l) {
                        comes(l, {m, input, l - c});
                        carried(l, {m, input, l - c});
                    }
                }
            }
            start(c, 2, Kind::out, m, input, message(m).out.count());
            return true;
        }
        return false;
    }
    bool begin_in(std::uint32_t c) {
        auto& arrivals = chips_[c].arrivals;
        if (arrivals.empty()) return false;
        const auto [m, input] = arrivals.front();
        arrivals.erase(arrivals.begin());
        start(c, 1, Kind::in, m, input, message(m).in.count());
        return true;
    }
    bool begin_segment(std::uint32_t c) {
        Chip& chip = chips_[c];
        if (segments_[c].empty() || chip.input >= inputs_ || chip.input >= std::ssize(done_) + ahead_) return false;
        const std::uint32_t s = segments_[c][chip.segment];
        for (const std::uint32_t m : program_.waits[s])
            if (const Stop& stop = copy(m, chip.input).stops[stop_at(m, c)]; !stop.taken || (!message(m).from_host && !stop.arrived))
                return false;
        for (const std::uint32_t m : program_.fills[s]) {
            std::int64_t held = 0;
            for (std::int64_t i = 0; i < chip.input; ++i)
                if (!has_left(m, i)) ++held;
            if (held >= program_.send_buffers) return false;
        }
        if (program_.segments[s].stream.count() > 0) {
            engine(c, 0) = {Kind::stream, s, chip.input, -1};
            channel_.push_back(c);
            if (channel_.size() == 1) begin_channel();
        } else {
            work(c);
        }
        return true;
    }
    void begin_channel() {
        if (channel_.empty()) return;
        const std::uint32_t c = channel_.front();
        channel_end_ = now_ + program_.segments[segments_[c][chips_[c].segment]].stream.count();
    }
    void work(std::uint32_t c) {
        const std::uint32_t s = segments_[c][chips_[c].segment];
        start(c, 0, Kind::compute, s, chips_[c].input, program_.segments[s].work.count());
    }

    const simulate::RingProgram& program_;
    std::int64_t inputs_, ahead_ = 0, now_ = 0, channel_end_ = -1;
    std::vector<Chip> chips_;
    std::vector<Link> links_;
    std::vector<std::vector<Copy>> copies_;  // per message, per input
    std::vector<std::vector<std::uint32_t>> segments_;
    std::vector<std::uint32_t> channel_;
    std::vector<std::int64_t> done_;
};

}  // namespace sluice::test
