#include "sluice/base/random.hpp"

#include <bit>

namespace sluice {

namespace {
std::uint64_t splitmix(std::uint64_t& state) {
    std::uint64_t z = (state += 0x9e3779b97f4a7c15ULL);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ULL;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebULL;
    return z ^ (z >> 31);
}
}  // namespace

RandomStream::RandomStream(std::uint64_t seed, std::uint64_t stream) {
    std::uint64_t mixer = stream;
    std::uint64_t state = seed ^ splitmix(mixer);
    for (auto& word : state_) word = splitmix(state);
}

std::uint64_t RandomStream::operator()() {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t shifted = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= shifted;
    state_[3] = std::rotl(state_[3], 45);
    return result;
}

std::uint64_t RandomStream::below(std::uint64_t count) {
    __extension__ using Product = unsigned __int128;
    Product product = static_cast<Product>((*this)()) * count;
    if (auto low = static_cast<std::uint64_t>(product); low < count) {
        const std::uint64_t threshold = (0 - count) % count;
        while (low < threshold) {
            product = static_cast<Product>((*this)()) * count;
            low = static_cast<std::uint64_t>(product);
        }
    }
    return static_cast<std::uint64_t>(product >> 64);
}

std::int64_t RandomStream::between(std::int64_t low, std::int64_t high) {
    const std::uint64_t span = static_cast<std::uint64_t>(high) - static_cast<std::uint64_t>(low) + 1;
    return static_cast<std::int64_t>(static_cast<std::uint64_t>(low) + (span == 0 ? (*this)() : below(span)));
}

double RandomStream::unit() { return static_cast<double>((*this)() >> 11) * 0x1.0p-53; }

}  // namespace sluice
