#include "sluice/training/memory_fit.hpp"

#include <algorithm>
#include <limits>
#include <map>

namespace sluice::training {

namespace {

using cost::TrainingPartition;
using cost::TrainingStage;
using cost::TrainingTerms;

struct Group {
    std::vector<std::size_t> stages;
    Bytes memory;
    bool limited = false;
};

class Fit {
public:
    Fit(const cost::TrainingProblem& problem, TrainingPartition& partition) : problem_(problem), partition_(partition) {
        std::map<std::int64_t, std::size_t> groups;
        for (std::size_t s = 0; s < partition.stages.size(); ++s) {
            const auto [place, fresh] = groups.emplace(partition.stages[s].first_device, groups_.size());
            if (fresh) {
                const cost::TrainingDevice& device = problem.classes[partition.stages[s].device.index()];
                groups_.push_back({.stages = {}, .memory = device.memory, .limited = device.limited});
            }
            groups_[place->second].stages.push_back(s);
            terms_.push_back(cost::training_terms(problem, partition.stages[s]));
        }
    }

    bool run(std::int64_t most, bool allow_recompute) {
        const cost::Schedule schedule = partition_.schedule;
        if (schedule == cost::Schedule::zero_bubble)
            partition_.schedule = cost::Schedule::one_f_one_b;  // what it needs, not what it offers
        cost::set_in_flight(problem_, partition_);
        partition_.schedule = schedule;
        for (const Group& group : groups_)
            while (group.limited && need(group) > group.memory)
                if (!join_one(group) && !(allow_recompute && recompute_one(group))) return false;
        if (cost::splits_backward(schedule)) raise(schedule == cost::Schedule::list ? most : 1);
        return true;
    }

private:
    [[nodiscard]] Bytes need(std::size_t s) const { return cost::memory_need(partition_.stages[s], terms_[s], partition_.schedule); }
    [[nodiscard]] Bytes need(const Group& group) const {
        Bytes sum;
        for (const std::size_t s : group.stages) sum += need(s);
        return sum;
    }

    /// A backward pass that is not split holds less.
    bool join_one(const Group& group) {
        return change_one(group, [](TrainingStage& stage) { stage.joint_backward = true; });
    }
    bool recompute_one(const Group& group) {
        return change_one(group, [&](TrainingStage& stage) {
            stage.recompute = true;
            stage.joint_backward = cost::splits_backward(partition_.schedule);
        });
    }
    /// Of the stages that a change frees memory for, the one that it frees most for; false where there is none.
    template <typename Change>
    bool change_one(const Group& group, Change&& change) {
        std::size_t best = group.stages.front();
        Bytes saved;
        TrainingStage stage_then;
        TrainingTerms terms_then;
        for (const std::size_t s : group.stages) {
            TrainingStage stage = partition_.stages[s];
            change(stage);
            if (stage == partition_.stages[s]) continue;
            const TrainingTerms terms = cost::training_terms(problem_, stage);
            const Bytes saves = need(s) - cost::memory_need(stage, terms, partition_.schedule);
            if (saves <= saved) continue;
            best = s;
            saved = saves;
            stage_then = std::move(stage);
            terms_then = terms;
        }
        if (saved.count == 0) return false;
        partition_.stages[best] = std::move(stage_then);
        terms_[best] = terms_then;
        return true;
    }

    /// All stages of a group by the same number of micro-batches at a time: whoever is nearest to the end gains most by it.
    void raise(std::int64_t most) {
        const std::int64_t batch = problem_.options.mini_batch;
        std::int64_t deepest = 0;
        for (const TrainingStage& stage : partition_.stages) deepest = std::max(deepest, stage.in_flight);
        for (const Group& group : groups_) {
            std::vector<std::int64_t> limit;
            for (const std::size_t s : group.stages) {
                const TrainingStage& stage = partition_.stages[s];
                const std::int64_t wanted = std::min(batch, std::max(deepest, stage.in_flight * most));
                limit.push_back(wanted / stage.micro_batch * stage.micro_batch);
            }
            std::int64_t free = group.limited ? group.memory.count - need(group).count : std::numeric_limits<std::int64_t>::max();
            for (bool moved = true; moved;) {
                moved = false;
                for (std::size_t i = 0; i < group.stages.size(); ++i) {
                    TrainingStage& stage = partition_.stages[group.stages[i]];
                    if (stage.in_flight + stage.micro_batch > limit[i]) continue;
                    const Bytes before = need(group.stages[i]);
                    stage.in_flight += stage.micro_batch;
                    const std::int64_t more = need(group.stages[i]).count - before.count;
                    if (more > free) {
                        stage.in_flight -= stage.micro_batch;
                        continue;
                    }
                    free -= more;
                    moved = true;
                }
            }
        }
    }

    const cost::TrainingProblem& problem_;
    TrainingPartition& partition_;
    std::vector<Group> groups_;
    std::vector<TrainingTerms> terms_;
};

}  // namespace

bool fit_memory(const cost::TrainingProblem& problem, TrainingPartition& partition, std::int64_t most, bool allow_recompute) {
    return Fit(problem, partition).run(most, allow_recompute);
}

}  // namespace sluice::training
