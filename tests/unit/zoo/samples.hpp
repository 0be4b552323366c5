// Every zoo entry with sizes small enough to run in a blink.
#pragma once

#include <string>
#include <vector>

namespace sluice::test {

struct Sample {
    std::string name;
    std::string small;  // the sizes after NAME:
};

inline const std::vector<Sample>& samples() {
    static const std::vector<Sample> all = {
        {"chain", "layers=3,width=8,batch=2"},
        {"residual", "blocks=3,width=8,inner=16,batch=2"},
        {"bert-base", "layers=2,hidden=16,heads=2,ff=32,seq=8,positions=12,vocab=50,batch=2"},
        {"bert-large", "layers=1,hidden=12,heads=3,ff=20,seq=5,positions=5,vocab=50"},
    };
    return all;
}

}  // namespace sluice::test
