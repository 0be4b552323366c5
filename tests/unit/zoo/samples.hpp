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
        {"inception", "groups=2,modules=2,channels=16,image=32,classes=10,batch=2"},
        {"bert-base", "layers=2,hidden=16,heads=2,ff=32,seq=8,positions=12,vocab=50,batch=2"},
        {"bert-large", "layers=1,hidden=12,heads=3,ff=20,seq=5,positions=5,vocab=50"},
        {"gpt2", "layers=2,hidden=16,heads=2,ff=32,seq=8,positions=12,vocab=50,batch=2"},
        {"resnet50", "blocks1=1,blocks2=2,blocks3=1,blocks4=1,width=4,image=33,classes=10,batch=2"},
        {"unet", "depth=2,width=4,image=16,channels=1,classes=3,batch=2"},
        {"mmt", "branches=3,layers=2,hidden=16,heads=2,ff=32,seq=6,batch=2"},
        {"dlrm", "branches=2,layers=2,width=16,post=1,tables=3,rows=20,embedding=4,bag=5,batch=2"},
        {"candle-uno", "branches=3,layers=2,width=16,post=2,batch=2"},
        {"moe", "layers=2,experts=3,hidden=16,heads=2,ff=8,seq=6,batch=2"},
        {"two-tower", "layers=1,hidden=16,heads=2,ff=32,seq=6,vocab=30,image=16,patch=4,projection=8,batch=2"},
        {"random-sp", "operators=60,width=8,batch=2"},
        {"random-er", "operators=60,degree=3,width=8,batch=2"},
        {"random-ba", "operators=60,attach=3,width=8,batch=2"},
        {"random-ws", "operators=60,neighbours=2,rewire=20,width=8,batch=2"},
        {"random-sbm", "operators=60,blocks=4,width=8,batch=2"},
    };
    return all;
}

}  // namespace sluice::test
