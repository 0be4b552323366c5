#include "sluice/solve/verify.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "sluice/plan/plan_file.hpp"
#include "sluice/solve/solve.hpp"
#include "tests/unit/plan/sample.hpp"

namespace sluice::solve {
namespace {

class Verify : public testing::Test {
protected:
    void SetUp() override { use("cut"); }

    void use(std::string bound) {
        SilentObserver silent;
        const SolveOptions options{.stages = sample::kStages, .bound = std::move(bound), .model = graph.fingerprint()};
        const cost::FrozenProblem frozen = sample::freeze(graph, platform);
        auto proof = prove(frozen.problem, options, silent, {});
        ASSERT_TRUE(proof) << to_text(proof.error());
        ASSERT_TRUE(proof->certified);
        certificate = proof->certificate;
        plan = sample::plan(graph, platform);
        plan.bound = plan::BoundClaim{.value = certificate.value, .kind = std::string(certificate.kind()), .certified = true};
    }
    void expect_failure(const plan::Plan& p, const bound::Certificate& c, std::string_view part) {
        const VerifyReport report = verify(graph, p, &c);
        EXPECT_FALSE(report.valid);
        EXPECT_FALSE(report.certified);
        std::string all;
        for (const Diagnostic& failure : report.failures) {
            EXPECT_EQ(failure.kind, DiagnosticKind::verification);
            all += to_text(failure);
        }
        EXPECT_NE(all.find(part), std::string::npos) << all;
    }

    graph::Graph graph = sample::model();
    platform::Platform platform = sample::machine();
    plan::Plan plan;
    bound::Certificate certificate;
};

/// Rewrites are applied to the model as it is given; a bound is on the model's own problem.
TEST_F(Verify, APlanWithRewrites) {
    plan = sample::rewritten_plan();
    const VerifyReport report = verify(graph, plan, &certificate);
    EXPECT_TRUE(report.valid) << (report.failures.empty() ? "" : to_text(report.failures[0]));
    EXPECT_TRUE(report.certified);
    plan::Plan other = plan;
    other.rewrites[0].makes[0] = "ta";
    expect_failure(other, certificate, "already a tensor 'ta'");
    other = plan;
    other.rewrites.pop_back();
    expect_failure(other, certificate, "names operator");
    other = plan;
    other.stages[0].predicted.work += Duration{1};
    expect_failure(other, certificate, "work");
}

TEST_F(Verify, APlanAndItsCertificate) {
    for (const char* bound : {"combinatorial", "cut"}) {
        use(bound);
        const VerifyReport report = verify(graph, plan, &certificate);
        EXPECT_TRUE(report.valid) << (report.failures.empty() ? "" : to_text(report.failures[0]));
        EXPECT_TRUE(report.certified);
    }
    const VerifyReport alone = verify(graph, plan);
    EXPECT_TRUE(alone.valid);
    EXPECT_FALSE(alone.certified) << "nothing was shown that certifies it";
    plan.bound.reset();
    EXPECT_TRUE(verify(graph, plan, &certificate).certified) << "a plan that claims no bound may be given one";
}

TEST_F(Verify, AnOperatorMovedSoThatTheStageGraphHasACycle) {
    auto& from = plan.stages[3].operators;
    const auto h = std::ranges::find(from, OperatorId(8), &plan::OperatorReference::id);
    plan.stages[0].operators.push_back(*h);
    from.erase(h);
    expect_failure(plan, certificate, "cycle");
}

TEST_F(Verify, ABoundRaisedByOnePicosecond) {
    plan.bound->value += Duration{1};
    expect_failure(plan, certificate, "proves");
    certificate.value += Duration{1};
    expect_failure(plan, certificate, "proves");
}

TEST_F(Verify, AFlowWithOneUnitTooMuch) {
    auto* cut = std::get_if<bound::CutWitness>(&certificate.witness);
    ASSERT_NE(cut, nullptr);
    ASSERT_FALSE(cut->flows.empty());
    for (std::size_t i = 0; i < cut->flows.size(); ++i) {
        bound::Certificate changed = certificate;
        ++std::get<bound::CutWitness>(changed.witness).flows[i].flow;
        expect_failure(plan, changed, "");
        bound::Certificate less = certificate;
        --std::get<bound::CutWitness>(less.witness).flows[i].flow;
        expect_failure(plan, less, "");
    }
}

TEST_F(Verify, ATriangleOffTheRing) {
    plan.bound.reset();
    certificate.value = Duration{0};
    certificate.witness = bound::TriangleWitness{NodeId(0), NodeId(1)};
    expect_failure(plan, certificate, "on a ring of chips without rewrites alone");
}

TEST_F(Verify, AnotherModel) {
    const graph::Graph other = sample::model("other", 1001);
    const VerifyReport report = verify(other, plan, &certificate);
    EXPECT_FALSE(report.valid);
    ASSERT_EQ(report.failures.size(), 1u);
    EXPECT_NE(report.failures[0].message.find("another model"), std::string::npos);

    certificate.model = other.fingerprint();
    expect_failure(plan, certificate, "another model");
}

TEST_F(Verify, AnotherPlatform) {
    plan::Plan moved = plan;
    moved.platform.stage_link.latency += Duration{1};
    expect_failure(moved, certificate, "another problem");
    moved = plan;
    moved.platform.classes.clear();
    expect_failure(moved, certificate, "no device class");

    const platform::Platform faster = sample::machine({.model = platform::StageModel::overlap});
    expect_failure(sample::plan(graph, faster), certificate, "another problem");
}

TEST_F(Verify, AnotherNumberOfStages) {
    plan::Plan more = plan;
    more.stage_limit = 5;
    expect_failure(more, certificate, "for 4 stages, the plan for 5");
    more.stage_limit = 0;
    expect_failure(more, certificate, "0 stages");
    certificate.stages = 3;
    expect_failure(plan, certificate, "for 3 stages, the plan for 4");
}

TEST_F(Verify, AnotherKind) {
    plan.bound->kind = "exact-dp";
    expect_failure(plan, certificate, "exact-dp");
}

TEST_F(Verify, MoreReplicasThanTheCertificateKnows) {
    const cost::FrozenProblem frozen = sample::freeze(graph, platform);
    cost::Partition partition{{{.nodes = {}, .device = ClassId(0), .replicas = 2}}};
    for (std::size_t v = 0; v < frozen.problem.node_count(); ++v) partition.stages[0].nodes.emplace_back(v);
    plan::Plan replicated = plan::make_plan(graph, platform, frozen, partition, sample::kStages);
    EXPECT_TRUE(verify(graph, replicated).valid);
    expect_failure(replicated, certificate, "2 replicas");
}

TEST_F(Verify, ATruncatedFile) {
    const std::string text = plan::to_json_text(plan);
    for (std::size_t length = 0; length + 2 < text.size(); length += 7) {
        const auto document = json::parse(std::string_view(text).substr(0, length), "plan.json");
        EXPECT_FALSE(document && plan::read_plan(*document)) << length;
    }
}

}  // namespace
}  // namespace sluice::solve
