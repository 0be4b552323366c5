"""Random graphs as `sluice.graph/1`, for the generated list of the mtpp bench.

The four families that notes on REGAL-like data name (Erdos-Renyi, Barabasi-Albert, Watts-Strogatz, stochastic blocks) and random
series-parallel graphs; 50 to 200 operators, one tensor an operator; time and size of each near-normal, mean 50, deviation 10. A unit of time is
1 us and a unit of size 64,000 bytes, so at 64 GB/s a tensor takes as long as an operator of the same number: REGAL's B = 1. They imitate that
data set and are not it. A family and a number give the same graph on every machine: only `Random.random`, whose stream Python promises to keep,
and integers decide.
"""
import json
from random import Random

UNIT_PS = 1_000_000
UNIT_BYTES = 64_000


class Draw:
    def __init__(self, name):
        self.random = Random(name)

    def below(self, n):
        return int(self.random.random() * n)

    def between(self, low, high):
        return low + self.below(high - low + 1)

    def chance(self, percent):
        return self.below(100) < percent

    def near_normal(self):
        """Thousandths of a number of mean 50 and deviation 10: twelve uniform ones added up."""
        return max(1000, 50_000 + 10 * (sum(self.below(1001) for _ in range(12)) - 6000))


class Edges:
    """Undirected pairs, pointed from the lower to the higher operator."""

    def __init__(self, operators):
        self.successors = [set() for _ in range(operators)]

    def add(self, a, b):
        low, high = min(a, b), max(a, b)
        if low == high or high in self.successors[low]:
            return False
        self.successors[low].add(high)
        return True


def erdos_renyi(n, draw):
    edges, left = Edges(n), n * draw.between(2, 4)
    while left > 0:
        left -= edges.add(draw.below(n), draw.below(n))
    return edges


def barabasi_albert(n, draw):
    edges, attach = Edges(n), draw.between(2, 4)
    ends = list(range(attach))  # each operator as often as it has edges, the first ones once more
    for new in range(attach, n):
        chosen = set()
        while len(chosen) < attach:
            chosen.add(ends[draw.below(len(ends))])
        for old in sorted(chosen):
            edges.add(old, new)
            ends += [old, new]
    return edges


def watts_strogatz(n, draw):
    edges, side, rewired = Edges(n), draw.between(2, 3), draw.between(5, 30)
    for a in range(n):
        for step in range(1, side + 1):
            if not draw.chance(rewired):
                edges.add(a, (a + step) % n)
            else:
                while not edges.add(a, draw.below(n)):
                    pass
    return edges


def stochastic_blocks(n, draw):
    edges, blocks = Edges(n), draw.between(4, 8)
    block = [draw.below(blocks) for _ in range(n)]
    inside, across = 2 * n, n // 2
    while inside > 0 or across > 0:
        a, b = draw.below(n), draw.below(n)
        same = block[a] == block[b]
        if (inside if same else across) > 0 and edges.add(a, b):
            inside, across = (inside - 1, across) if same else (inside, across - 1)
    return edges


def series_parallel(n, draw):
    edges = Edges(n)
    made = 0

    def operator():
        nonlocal made
        made += 1
        return made - 1

    def compose(size):
        """First and last operator of a piece with `size` operators."""
        if size == 1:
            only = operator()
            return only, only
        if size < 4 or draw.chance(50):
            front = draw.between(1, size - 1)
            first, middle = compose(front)
            then, last = compose(size - front)
            edges.add(middle, then)
            return first, last
        fork, rest = operator(), size - 2
        branches = min(rest, draw.between(2, 4))
        borders = sorted(draw.below(rest - branches + 1) for _ in range(branches - 1))
        sizes = [high - low + 1 for low, high in zip([0, *borders], [*borders, rest - branches])]
        ends = [compose(piece) for piece in sizes]
        join = operator()
        for first, last in ends:
            edges.add(fork, first)
            edges.add(last, join)
        return fork, join

    compose(n)
    return edges


FAMILIES = {"er": erdos_renyi, "ba": barabasi_albert, "ws": watts_strogatz, "sbm": stochastic_blocks, "sp": series_parallel}


def graph(name):
    """The graph called FAMILY-NUMBER, as the object that its file holds."""
    family, number = name.rsplit("-", 1)
    draw = Draw(f"sluice mtpp {family} {int(number)}")
    n = draw.between(50, 200)
    edges = FAMILIES[family](n, draw)
    inputs = [[] for _ in range(n)]
    for u, readers in enumerate(edges.successors):
        for v in sorted(readers):
            inputs[v].append(f"t{u}")
    tensors, operators = [], []
    for v in range(n):
        tensor = {"name": f"t{v}", "bytes": draw.near_normal() * UNIT_BYTES // 1000}
        tensors.append(tensor if edges.successors[v] else tensor | {"model_output": True})
        operators.append({"name": f"o{v}", "inputs": inputs[v], "outputs": [f"t{v}"], "time_ps": {"chip": draw.near_normal() * UNIT_PS // 1000}})
    return {"format": "sluice.graph/1", "name": name, "tensors": tensors, "operators": operators,
            "given_costs": {"devices": [{"name": "chip", "count": 16}], "link_bytes_per_second": 64_000_000_000}}


def write(name, folder):
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.json"
    path.write_text(json.dumps(graph(name)) + "\n", encoding="utf-8")
    return path
