#include "sluice/simulate/ring.hpp"

#include <algorithm>
#include <bit>
#include <cassert>
#include <numeric>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "sluice/simulate/engine.hpp"

namespace sluice::simulate {

namespace {

constexpr std::uint32_t kIdle = ~std::uint32_t{0};

/// A message at a chip on its way: how many inputs' worth got how far.
struct Place {
    std::uint32_t chip = 0;
    bool reads = false;        // its chip takes the message in
    std::int64_t arrived = 0;  // carried to the chip
    std::int64_t taken = 0;    // the engine is done taking it in
    std::int64_t read = 0;     // no segment needs it any more; counts only where `reads` and a segment does
    std::int64_t passed = 0;   // has left for the next chip; counts only where it goes on
    bool read_counts = false, passed_counts = false;
    [[nodiscard]] std::int64_t there() const { return std::min(arrived, taken); }
    [[nodiscard]] std::int64_t freed() const {
        if (!passed_counts) return read;
        return read_counts ? std::min(read, passed) : passed;
    }
};

struct Track {                 // of a message
    std::uint32_t places = 0;  // first of its own; one a chip on the way
    std::uint32_t count = 0;
    std::int64_t out = 0;   // inputs for which its sender's engine is done
    std::int64_t left = 0;  // for which the first link has carried it
    std::int64_t sent = 0;  // the lesser
};

struct Waiting {
    std::uint32_t what = 0;  // out: message; in: place
    std::int64_t input = 0;
};

/// Of the ring after an output.
struct KeptState {
    std::size_t first = 0, length = 0;
    std::int64_t outputs = 0;
    Time time = 0;
};
constexpr std::size_t kMostKept = std::size_t{1} << 22;  // values: 32 MiB

struct Chip {
    std::uint32_t first = 0, last = 0;  // segments
    std::uint32_t segment = 0;          // to begin next, or under way
    std::int64_t input = 0;
    enum class Computing : std::uint8_t { nothing, streaming, working } computing = Computing::nothing;
    std::uint32_t out = kIdle, in = kIdle;  // message, place under way
    std::int64_t out_input = 0, in_input = 0;
    std::int64_t compute_since = 0, out_since = 0, in_since = 0;
    std::vector<Waiting> sends, arrivals;  // first come first
    bool serial_busy = false;
    std::vector<std::uint32_t> host_messages;
};

class Ring {
public:
    Ring(const RingProgram& program, const RingOptions& options)
        : program_(program),
          options_(options),
          engines_(program.serial ? 1 : 3),
          ahead_(ahead_of(program)),
          chips_(program.chips),
          awake_(program.chips == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << program.chips) - 1),
          tracks_(program.messages.size()),
          engine_(*this, engines_ * program.chips + 1, program.chips, LinkSharing::fifo) {
        for (std::uint32_t s = 0; s < program.segments.size(); ++s) {
            Chip& chip = chips_[program.segments[s].chip];
            if (chip.last == 0) chip.first = chip.segment = s;
            chip.last = s + 1;
        }
        for (const Chip& chip : chips_) items_ += chip.first < chip.last ? 1 : 0;
        lay_out_places();
        for (std::size_t s = 0; s < program.segments.size(); ++s)
            for (const std::uint32_t m : program.last_readings[s]) place_at(m, program.segments[s].chip).read_counts = true;
    }

    RingResult run() {
        settled();
        engine_.run();
        result_.events = engine_.events();
        result_.stopped = options_.stop.stop_requested();
        for (std::uint32_t l = 0; l + 1 < program_.chips; ++l) result_.longest_queue.push_back(engine_.longest_queue(LinkId(l)));
        return std::move(result_);
    }

    // --- what the engine tells ---------------------------------------------------------------------------------------

    void finished(MachineId machine) {
        const std::size_t m = machine.index();
        if (m == engines_ * chips_.size()) {
            end_stream();
            return;
        }
        const auto c = static_cast<std::uint32_t>(m / engines_);
        const Chip& chip = chips_[c];
        if (engines_ == 1) {
            if (chip.out != kIdle)
                end_out(c);
            else if (chip.in != kIdle)
                end_in(c);
            else
                end_segment(c);
        } else if (m % 3 == 0) {
            end_segment(c);
        } else if (m % 3 == 1) {
            end_in(c);
        } else {
            end_out(c);
        }
    }
    LinkId link_of(const Message& message, std::uint32_t hop) const { return LinkId(program_.messages[message.key].from + hop); }
    void began(LinkId link, const Message& message) {
        come(message.key, static_cast<std::uint32_t>(link.index()), static_cast<std::int64_t>(message.tag));
    }
    void carried(LinkId link, const Message& message, Time start) {
        const auto input = static_cast<std::int64_t>(message.tag);
        keep(RingTrack::link, static_cast<std::uint32_t>(link.index()), message.key, input, start);
        arrive(message.key, static_cast<std::uint32_t>(link.index()));
    }
    void delivered(const Message&) {}
    bool proceed() { return !options_.stop.stop_requested(); }

    /// Everything that could begin now begins.
    void settled() {
        while (awake_ !=
               0)  // in turns from the first chip to the last, each turn those that something has changed for until it comes to them
            for (std::uint64_t left = awake_; left != 0;) {
                const auto c = static_cast<std::uint32_t>(std::countr_zero(left));
                awake_ &= ~(std::uint64_t{1} << c);
                begin_on(c);
                left = c == 63 ? 0 : awake_ & (~std::uint64_t{0} << (c + 1));
            }
        if (outputs_ == noted_outputs_) return;
        noted_outputs_ = outputs_;
        if (options_.find_period) compare_state();
    }

private:
    /// More than all buffers on any way hold.
    static std::int64_t ahead_of(const RingProgram& program) {
        std::vector<std::int64_t> most(program.chips, 0);
        for (const RingMessage& message : program.messages) most[message.to] = std::max(most[message.to], message.buffers);
        return std::accumulate(most.begin(), most.end(), (program.send_buffers + 2) * program.chips);
    }

    void lay_out_places() {
        for (std::uint32_t m = 0; m < tracks_.size(); ++m) {
            const RingMessage& message = program_.messages[m];
            Track& track = tracks_[m];
            track.places = static_cast<std::uint32_t>(places_.size());
            if (message.from_host) {
                places_.push_back({.chip = message.to, .reads = true});
                chips_[message.to].host_messages.push_back(m);
            } else if (message.to == message.from) {
                ++items_;  // to the host
            }
            for (std::uint32_t c = message.from + 1; c <= message.to; ++c)
                places_.push_back({.chip = c, .reads = ((message.readers >> c) & 1) != 0, .passed_counts = c < message.to});
            track.count = static_cast<std::uint32_t>(places_.size()) - track.places;
        }
        messages_of_.resize(places_.size());
        for (std::uint32_t m = 0; m < tracks_.size(); ++m)
            for (std::uint32_t p = tracks_[m].places; p < tracks_[m].places + tracks_[m].count; ++p) messages_of_[p] = m;
    }
    Place& place_at(std::uint32_t m, std::uint32_t chip) {
        const RingMessage& message = program_.messages[m];
        return places_[tracks_[m].places + (message.from_host ? 0 : chip - message.from - 1)];
    }
    [[nodiscard]] MachineId machine(std::uint32_t chip, std::uint32_t engine) const {
        return MachineId(engines_ == 1 ? chip : 3 * chip + engine);
    }
    void keep(RingTrack track, std::uint32_t chip, std::uint32_t what, std::int64_t input, std::int64_t start) {
        if (input < options_.trace_inputs) result_.tasks.push_back({track, chip, what, input, start, engine_.now()});
    }
    void wake(std::uint32_t chip) { awake_ |= std::uint64_t{1} << chip; }
    void wake_sender(std::uint32_t m) {
        const RingMessage& message = program_.messages[m];
        wake(message.from_host ? message.to : message.from);
    }

    // --- beginnings ----------------------------------------------------------------------------------------------------

    void begin_on(std::uint32_t c) {
        Chip& chip = chips_[c];
        for (const std::uint32_t m : chip.host_messages) {
            Place& place = places_[tracks_[m].places];
            while (place.arrived < place.freed() + program_.messages[m].buffers && place.arrived < outputs_ + ahead_ &&
                   place.arrived < options_.inputs)
                chip.arrivals.push_back({tracks_[m].places, place.arrived++});
        }
        if (engines_ > 1) {
            if (chip.out == kIdle) begin_out(c);
            if (chip.in == kIdle) begin_in(c);
            if (chip.computing == Chip::Computing::nothing) begin_segment(c);
        } else if (!chip.serial_busy) {
            if (!begin_out(c) && !begin_in(c)) begin_segment(c);
        }
    }

    [[nodiscard]] bool has_buffers(std::uint32_t m, std::int64_t input) const {
        const Track& track = tracks_[m];
        for (std::uint32_t p = track.places; p < track.places + track.count; ++p)
            if (input >= places_[p].freed() + program_.messages[m].buffers) return false;
        return true;
    }
    bool begin_out(std::uint32_t c) {
        Chip& chip = chips_[c];
        for (std::size_t i = 0; i < chip.sends.size(); ++i) {
            const auto [m, input] = chip.sends[i];
            if (!has_buffers(m, input)) continue;
            chip.sends.erase(chip.sends.begin() + static_cast<std::ptrdiff_t>(i));
            const RingMessage& message = program_.messages[m];
            chip.out = m;
            chip.out_input = input;
            chip.out_since = engine_.now();
            chip.serial_busy = true;
            if (const std::uint32_t hops = message.to - message.from; hops > 0) {
                if (message.wire.count() > 0) {
                    engine_.send(static_cast<std::uint64_t>(input), m, hops, message.wire.count());
                } else {
                    for (std::uint32_t l = message.from; l < message.to; ++l) {
                        come(m, l, input);
                        arrive(m, l);
                    }
                }
            }
            if (message.out.count() > 0)
                engine_.start(machine(c, 2), message.out.count());
            else
                end_out(c);
            return true;
        }
        return false;
    }
    bool begin_in(std::uint32_t c) {
        Chip& chip = chips_[c];
        if (chip.arrivals.empty()) return false;
        const auto [p, input] = chip.arrivals.front();
        chip.arrivals.erase(chip.arrivals.begin());
        chip.in = p;
        chip.in_input = input;
        chip.in_since = engine_.now();
        chip.serial_busy = true;
        if (const Duration in = program_.messages[messages_of_[p]].in; in.count() > 0)
            engine_.start(machine(c, 1), in.count());
        else
            end_in(c);
        return true;
    }
    bool begin_segment(std::uint32_t c) {
        Chip& chip = chips_[c];
        if (chip.first == chip.last || chip.input >= options_.inputs || chip.input >= outputs_ + ahead_) return false;
        const std::uint32_t s = chip.segment;
        for (const std::uint32_t m : program_.waits[s])
            if (place_at(m, c).there() <= chip.input) return false;
        for (const std::uint32_t m : program_.fills[s])
            if (chip.input >= tracks_[m].sent + program_.send_buffers) return false;
        chip.serial_busy = true;
        chip.compute_since = engine_.now();
        if (program_.segments[s].stream.count() > 0) {
            chip.computing = Chip::Computing::streaming;
            streams_.push_back({c, chip.input});
            if (streams_.size() == 1) begin_stream();
        } else {
            begin_work(c);
        }
        return true;
    }
    void begin_work(std::uint32_t c) {
        Chip& chip = chips_[c];
        chip.computing = Chip::Computing::working;
        if (const Duration work = program_.segments[chip.segment].work; work.count() > 0)
            engine_.start(machine(c, 0), work.count());
        else
            end_segment(c);
    }
    void begin_stream() {
        const Chip& chip = chips_[streams_.front().what];
        stream_since_ = engine_.now();
        engine_.start(MachineId(engines_ * chips_.size()), program_.segments[chip.segment].stream.count());
    }

    // --- ends ----------------------------------------------------------------------------------------------------------

    void end_stream() {
        const auto [c, input] = streams_.front();
        streams_.erase(streams_.begin());
        keep(RingTrack::channel, c, chips_[c].segment, input, stream_since_);
        if (!streams_.empty()) begin_stream();
        begin_work(c);
    }
    void end_segment(std::uint32_t c) {
        Chip& chip = chips_[c];
        const std::uint32_t s = chip.segment;
        keep(RingTrack::compute, c, s, chip.input, chip.compute_since);
        chip.computing = Chip::Computing::nothing;
        chip.serial_busy = false;
        wake(c);
        for (const std::uint32_t m : program_.fills[s]) chip.sends.push_back({m, chip.input});
        for (const std::uint32_t m : program_.last_readings[s]) {
            ++place_at(m, c).read;
            wake_sender(m);
        }
        if (++chip.segment < chip.last) return;
        chip.segment = chip.first;
        count_item(chip.input++);
    }
    void end_in(std::uint32_t c) {
        Chip& chip = chips_[c];
        const std::uint32_t p = std::exchange(chip.in, kIdle);
        keep(RingTrack::in, c, messages_of_[p], chip.in_input, chip.in_since);
        chip.serial_busy = false;
        wake(c);
        ++places_[p].taken;
    }
    /// The link from chip `l` begins to carry the message.
    void come(std::uint32_t m, std::uint32_t l, std::int64_t input) {
        const std::uint32_t p = tracks_[m].places + (l - program_.messages[m].from);
        if (!places_[p].reads) return;
        chips_[l + 1].arrivals.push_back({p, input});
        wake(l + 1);
    }
    void end_out(std::uint32_t c) {
        Chip& chip = chips_[c];
        const std::uint32_t m = std::exchange(chip.out, kIdle);
        keep(RingTrack::out, c, m, chip.out_input, chip.out_since);
        chip.serial_busy = false;
        wake(c);
        ++tracks_[m].out;
        if (program_.messages[m].to == c) count_item(tracks_[m].left++);  // to the host
        has_left(m);
    }
    /// The link from chip `l` has carried the message.
    void arrive(std::uint32_t m, std::uint32_t l) {
        Track& track = tracks_[m];
        const std::uint32_t from = program_.messages[m].from;
        const std::uint32_t p = track.places + (l - from);
        Place& place = places_[p];
        ++place.arrived;
        if (l == from) {
            ++track.left;
            has_left(m);
        } else {
            ++places_[p - 1].passed;
            wake_sender(m);
        }
        wake(place.chip);
    }
    void has_left(std::uint32_t m) {
        Track& track = tracks_[m];
        track.sent = std::min(track.out, track.left);
        wake(program_.messages[m].from);
    }

    /// A chip, or the host, is done with the input.
    void count_item(std::int64_t input) {
        const auto at = static_cast<std::size_t>(input);
        if (items_done_.size() <= at) items_done_.resize(2 * at + 16);
        if (++items_done_[at] < items_) return;
        ++outputs_;  // they come in order: each item counts its inputs in order
        for (std::uint32_t c = 0; c < chips_.size(); ++c)
            if (!chips_[c].host_messages.empty() || chips_[c].input + 1 >= outputs_ + ahead_) wake(c);
        const Time now = engine_.now();
        if (outputs_ == 1) result_.first_output = Duration{now};
        result_.outputs = outputs_;
        if (outputs_ == options_.warm_up) steady_since_ = now;
        if (outputs_ > options_.warm_up && !result_.repeats) {
            result_.span = Duration{now - steady_since_};
            result_.inputs = outputs_ - options_.warm_up;
        }
        if (outputs_ >= options_.warm_up + options_.outputs || outputs_ >= options_.inputs) engine_.stop();
    }

    // --- the same state again ------------------------------------------------------------------------------------------

    /// The state of now against all kept ones: those of the same hash are compared in full. When there are too many they are forgotten.
    void compare_state() {
        const std::size_t first = kept_.size();
        std::uint64_t hash = 0;
        write_state([&](std::int64_t value) {
            kept_.push_back(value);
            hash = (hash ^ static_cast<std::uint64_t>(value)) * 0x9e37'79b9'7f4a'7c15;
            hash ^= hash >> 32;
            return true;
        });
        const std::span<const std::int64_t> state = std::span(kept_).subspan(first);
        for (auto [found, end] = kept_states_.equal_range(hash); found != end; ++found) {
            const KeptState& before = found->second;
            if (!std::ranges::equal(state, std::span(kept_).subspan(before.first, before.length))) continue;
            result_.repeats = true;
            result_.span = Duration{engine_.now() - before.time};
            result_.inputs = outputs_ - before.outputs;
            engine_.stop();
            return;
        }
        if (kept_.size() > kMostKept) {
            kept_.clear();
            kept_states_.clear();
        } else {
            kept_states_.emplace(hash, KeptState{first, state.size(), outputs_, engine_.now()});
        }
    }
    /// Everything that what comes next depends on, inputs and times relative to now; until `write` says no.
    bool write_state(auto&& write) const {
        const auto relative = [&](std::int64_t input) { return write(input - outputs_); };
        const bool engine = engine_.state(
            write, [&](const Message& message) { return write(message.key) && relative(static_cast<std::int64_t>(message.tag)); });
        if (!engine) return false;
        for (const Chip& chip : chips_) {
            if (!write(chip.segment) || !write(static_cast<std::int64_t>(chip.computing)) || !write(chip.out) || !write(chip.in))
                return false;
            if (chip.first < chip.last && !relative(chip.input)) return false;
            if (chip.out != kIdle && !relative(chip.out_input)) return false;
            if (chip.in != kIdle && !relative(chip.in_input)) return false;
            for (const auto* list : {&chip.sends, &chip.arrivals}) {
                if (!write(std::ssize(*list))) return false;
                for (const Waiting& waiting : *list)
                    if (!write(waiting.what) || !relative(waiting.input)) return false;
            }
        }
        for (std::size_t m = 0; m < tracks_.size(); ++m)
            if (!program_.messages[m].from_host && (!relative(tracks_[m].out) || !relative(tracks_[m].left))) return false;
        for (const Place& place : places_) {
            if (!relative(place.arrived)) return false;
            if (place.reads && !relative(place.taken)) return false;
            if (place.read_counts && !relative(place.read)) return false;
            if (place.passed_counts && !relative(place.passed)) return false;
        }
        for (const Waiting& waiting : streams_)
            if (!write(waiting.what) || !relative(waiting.input)) return false;
        return true;
    }

    const RingProgram& program_;
    const RingOptions& options_;
    const std::uint32_t engines_;
    const std::int64_t ahead_;  // inputs that a chip which no other holds back may be ahead of outputs
    std::vector<Chip> chips_;
    std::uint64_t awake_;  // chips for which something has changed that may let an engine begin
    std::vector<Track> tracks_;
    std::vector<Place> places_;
    std::vector<std::uint32_t> messages_of_;  // per place
    std::vector<Waiting> streams_;            // chips that wait for the channel, the first has it
    Time stream_since_ = 0;
    std::uint32_t items_ = 0;                // chips that compute and messages to the host
    std::vector<std::uint32_t> items_done_;  // per input
    std::int64_t outputs_ = 0, noted_outputs_ = 0;
    Time steady_since_ = 0;
    std::vector<std::int64_t> kept_;  // states one after another
    std::unordered_multimap<std::uint64_t, KeptState> kept_states_;
    RingResult result_;
    Engine<Ring> engine_;
};

}  // namespace

RingLoad load_of(const RingProgram& program) {
    RingLoad load;
    for (auto* times : {&load.compute, &load.in, &load.out}) times->resize(program.chips);
    load.links.resize(program.chips - 1);
    for (const RingSegment& segment : program.segments) {
        load.compute[segment.chip] += segment.work + segment.stream;
        load.channel += segment.stream;
    }
    for (const RingMessage& message : program.messages) {
        if (!message.from_host) load.out[message.from] += message.out;
        for (std::uint64_t left = message.readers; left != 0; left &= left - 1)
            load.in[static_cast<std::size_t>(std::countr_zero(left))] += message.in;
        if (!message.from_host)
            for (std::uint32_t c = message.from; c < message.to; ++c) load.links[c] += message.wire;
    }
    return load;
}

Duration RingLoad::busiest(bool serial) const {
    Duration most = channel;
    for (std::size_t c = 0; c < compute.size(); ++c)
        most = std::max(most, serial ? compute[c] + in[c] + out[c] : std::max({compute[c], in[c], out[c]}));
    for (const Duration link : links) most = std::max(most, link);
    return most;
}

RingResult simulate_ring(const RingProgram& program, const RingOptions& options) {
    const Duration busiest = load_of(program).busiest(program.serial);
    assert(busiest.count() > 0);
    RingResult result = Ring(program, options).run();
    result.period = busiest;
    if (result.inputs > 0) {
        const std::int64_t measured = (result.span.count() + result.inputs - 1) / result.inputs;
        result.period = std::max(busiest, Duration{measured});
    }
    return result;
}

}  // namespace sluice::simulate
