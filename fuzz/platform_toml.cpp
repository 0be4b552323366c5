// Any bytes as a platform file and as overrides: a Platform or a Diagnostic, never a crash; what is read survives the plan file.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "sluice/base/json.hpp"
#include "sluice/platform/platform.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace sluice;
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto check = [](const Result<platform::Platform>& platform) {
        if (!platform) {
            if (platform.error().message.empty()) std::abort();
            return;
        }
        const auto node = json::parse(json::to_file_text(platform::to_json(*platform)), "plan.json");
        if (!node) std::abort();
        const auto back = platform::read_platform(*node);
        // Bytes that are no UTF-8 cannot be kept in JSON; TOML has none.
        if (!back || *back != *platform) std::abort();
    };
    check(platform::parse_platform(text, "fuzz.toml"));
    // The text after a preset's name; a path would read files.
    bool utf8_safe = true;
    for (const char c : text) utf8_safe = utf8_safe && static_cast<unsigned char>(c) < 0x80;
    if (utf8_safe) check(platform::load_platform("v100-summit:" + std::string(text)));
    return 0;
}
