// sluice_make_job MODEL STAGES FOLDER [INPUTS [LEVEL [REPLICAS]]]: writes FOLDER/job.json, for runs of sluice-worker by hand.
#include <cstdio>
#include <cstdlib>

#include "sluice/base/files.hpp"
#include "tests/support/staged_model.hpp"

int main(int argc, char** argv) {
    using namespace sluice;
    if (argc < 4) return 2;
    const std::filesystem::path folder = std::filesystem::absolute(argv[3]);
    std::filesystem::create_directories(folder);
    auto made = test::stage_model(argv[1], std::atoll(argv[2]), folder, argc > 6 ? std::atoll(argv[6]) : 1);
    if (made) {
        if (argc > 4) made->job.inputs = std::atoll(argv[4]);
        if (argc > 5) made->job.optimisation = std::atoi(argv[5]);
        if (auto done = write_file(folder / "job.json", runtime::to_json_text(made->job)); done) return 0;
    } else {
        std::fputs(to_text(made.error()).c_str(), stderr);
    }
    return 1;
}
