#!/usr/bin/env python3
"""Runs schedules that `sluice export --actions` wrote in torch's pipelining: toy stages, a process a rank on gloo, gradients against those
of one process. Needs torch and numpy.

usage: torch_actions.py actions.csv…
"""
import os
import re
import sys

import torch
from torch import distributed, multiprocessing, nn
from torch.distributed.pipelining import PipelineStage
from torch.distributed.pipelining.schedules import _PipelineScheduleRuntime

WIDTH = 16
SAMPLES = 2  # of a micro-batch


def stage_module(stage):
    torch.manual_seed(stage)
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Tanh())


def run(rank, path):
    """The largest difference of a gradient on this rank."""
    rows = [line.strip().split(",") for line in open(path, encoding="utf-8")]
    rank_of = {int(re.match(r"\d+", action).group()): at for at, row in enumerate(rows) for action in row}
    count = 1 + max(int(re.search(r"\d+$", action).group()) for row in rows for action in row)
    mine = [(s, stage_module(s)) for s in sorted(rank_of) if rank_of[s] == rank]
    schedule = _PipelineScheduleRuntime([PipelineStage(module, s, len(rank_of), torch.device("cpu")) for s, module in mine], count,
                                        loss_fn=nn.MSELoss())
    schedule._load_csv(path)
    torch.manual_seed(99)
    inputs, targets = torch.randn(SAMPLES * count, WIDTH), torch.randn(SAMPLES * count, WIDTH)
    schedule.step(*((inputs,) if rank_of[0] == rank else ()), target=targets if rank_of[len(rank_of) - 1] == rank else None)
    whole = nn.Sequential(*(stage_module(s) for s in sorted(rank_of)))
    for x, y in zip(inputs.chunk(count), targets.chunk(count)):
        (nn.MSELoss()(whole(x), y) / count).backward()
    pairs = [(p.grad, q.grad) for s, module in mine for p, q in zip(module.parameters(), whole[s].parameters())]
    return max((a - b).abs().max().item() for a, b in pairs)


def work(rank, paths, ranks, port):
    os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT=str(port))
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", rank=rank, world_size=ranks)
    for path in paths:
        difference = run(rank, path)
        if difference > 1e-6:
            raise RuntimeError(f"{path}: gradients of rank {rank} differ by {difference:.2g}")
        distributed.barrier()
        if rank == 0:
            print(f"{path}: {ranks} ranks, gradients as in one process", flush=True)
    distributed.destroy_process_group()


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    print("torch", torch.__version__, flush=True)
    by_ranks = {}
    for path in sys.argv[1:]:
        by_ranks.setdefault(sum(1 for _ in open(path, encoding="utf-8")), []).append(path)
    for ranks, paths in sorted(by_ranks.items()):
        multiprocessing.spawn(work, (paths, ranks, 29500 + (os.getpid() + ranks) % 1000), nprocs=ranks)


if __name__ == "__main__":
    main()
