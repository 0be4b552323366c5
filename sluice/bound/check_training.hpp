// The independent checker of bounds on training plans: refutes every plan below the value, in exact integers (int64, __int128), from the
// problem and the witness alone. It shares no code with planners, simulator and what makes witnesses (tests/layers enforces it).
//
// Let T = value - 1 and C the time that T allows: T itself, or T mini_batch for a bottleneck per sample. Suppose a plan is within T. It
// gives every node v an option: a device class c, replicas r and a micro-batch b dividing the mini-batch B, the certificate's where it
// names one; with m = B / b and s = ceil(b / r), each of r devices passes v m times, each time over s samples, t(s) = F(s) + I(s) + W(s)
// forward, input and weight gradient.
//
// Not every option can be. A device does one thing at a time, so does a group's ring, and the all-reduce of a stage is between its last
// weight gradient and its optimiser's step, so m t(s) + all-reduce + step <= C, each of v's own parameters alone (for a bottleneck, where
// they overlap, m t + step <= C and all-reduce <= C). One micro-batch and the state fit the memory: state + kept s <= memory, recomputed or
// not.
//
// Devices. Groups of devices are disjoint and all stages of a group have its r devices. On each of them the sums over its nodes of
// m t + step, of all-reduces and of state + kept s are at most C, C and the memory. A parameter counts for one of its users, times are
// rounded down. So with shares work + links + memory <= 1 the node's share
//     a = work (m t + step) / C + links all-reduce / C + memory (state + kept s) / memory
// sums to at most 1 over the group's nodes, and so does u(a) for u the identity or, with k >= 1,
//     u(a) = a where (k + 1) a is whole, else floor((k + 1) a) / k                        (Fekete and Schepers 2001)
// (over those that are not whole, the sum of floor((k + 1) a) is below (k + 1)(1 - w), w the sum of the whole ones, which is a whole
// number: at most k - (k + 1) w, so the sum of all u is at most 1 - (k + 1) w / k + w <= 1.) Hence r u(a) sums to at most r over a group
// and to the number of devices over a class.
//
// Paths. Along v_0 … v_l, each feeding the next, with the turn at j: the first micro-batch of v_l is passed forward after v_0 … v_(l-1)
// passed some of its samples forward; then v_l's devices are busy for m_l (F + I), m_l t when j = l; then the last micro-batch that v_l
// gave back goes back through v_(l-1) … v_j, whose tensors have gradients, followed by the weight gradient at v_j, its all-reduce and its
// step. A path meets each stage once and in a row, as the stage graph has no cycle, and nodes of one stage only share passes that count for
// each of them. So the sum over its nodes is at most T, of
//     F before the turn;  F + I + W + all-reduce + step at it;  F + I behind it;  with F + I, at the turn t, times m for the last node.
//
// Windows. Along v_0 … v_l, each feeding the next, some samples are passed forward, which takes h, the sum of F. No backward pass of v_l,
// or of a node that gets its gradient from it through any number of others, begins before: samples of any micro-batch come to v_l first,
// along that path too. Nor does any pass of a node that v_l feeds through any number of others (a forward pass that both share has v_l's
// part first). Their optimiser's steps follow their passes. So all this is done in T - h at most by each of the N devices there are:
//     N sum of F along the path + sum over nodes of r (m (I + W) + step), with F where v_l feeds them, <= N T.
//
// Times the witness' prices, and added up: the sum over v of what its option costs is at most sum of price devices + sum of price T over
// paths + sum of price N T over windows. The checker takes the cheapest option of each node; when even these cost more, there is no such
// plan.
//
// More replicas than roundings need not all be tried: with s the same, one less costs no more in anything.
#pragma once

#include <vector>

#include "sluice/bound/certificate_training.hpp"
#include "sluice/cost/training_problem.hpp"

namespace sluice::bound {

/// Empty: no training plan of `problem` that cost::faults_of accepts, with the certificate's micro-batch where it names one, has an
/// iteration time (or a bottleneck) below certificate.value. The model's fingerprint is for the caller to compare. O(nodes x divisors of
/// the mini-batch x (roundings + sqrt(mini-batch)) + paths).
[[nodiscard]] std::vector<Diagnostic> check_training(const cost::TrainingProblem& problem, const TrainingCertificate& certificate);

}  // namespace sluice::bound
