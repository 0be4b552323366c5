#!/usr/bin/env python3
"""Holds the include graph against the architecture: who may include whom, and where a heavy library may be seen.

usage: check_layers.py ROOT          exit 1 and one line for each include that breaks the rules
       check_layers.py --self-test   the checker itself: a broken tree must be refused, a right one accepted
"""
import re
import sys
import tempfile
from pathlib import Path

# Direct dependencies; a layer may include everything below it. docs/architecture.md draws this.
BELOW = {
    "base": [],
    "graph": ["base"],
    "platform": ["graph"],
    "cost": ["platform"],
    "plan": ["cost"],
    "program": ["plan"],
    "simulate": ["program"],
    "search": ["plan"],
    "bound": ["search"],
    "inference": ["search", "simulate"],
    "mcm": ["search", "simulate"],
    "training": ["search", "simulate"],
    "solve": ["bound", "inference", "mcm", "training"],
    "trainer": ["mcm", "onnx"],
    "report": ["solve"],
    "onnx": ["graph"],
    "runtime": ["plan", "program", "onnx"],
    "cli": ["report", "onnx", "runtime", "trainer"],
    "python": ["report", "onnx", "runtime"],
}

# Third-party includes and the only layers that may see them; HEADERS: none of these may stand in a header, json_fwd excepted.
PRIVATE = {
    r"(onnx|google/protobuf)/": {"onnx"},
    r"toml\+\+/": {"platform"},
    r"CLI/": {"cli"},
    r"onnxruntime": {"runtime"},
    r"(torch|ATen|c10)/": {"runtime", "trainer"},
    r"(Highs\.h|highs/)": {"bound", "solve"},
    r"mpi\.h": {"runtime"},
    r"(zlib|xxhash)\.h": {"base"},
    r"zip\.h": {"runtime"},
    r"oneapi/tbb|tbb/": {"search", "bound", "inference", "mcm", "training", "solve"},
    r"nlohmann/json\.hpp": {"base", "graph", "platform", "plan", "bound", "onnx", "solve", "report", "cli", "runtime", "program", "cost", "trainer"},
}
HEADER_OK = {"nlohmann/json_fwd.hpp"}

# The independent checkers may see types and costs, and nothing that searches or solves.
CHECKER = "bound/check_"
CHECKER_MAY = re.compile(r"sluice/(base/|graph/(graph|features|node_set)\.hpp|platform/|cost/|plan/|bound/(certificate(_training)?|check_\w+)\.hpp)")

INCLUDE = re.compile(r'^\s*#\s*include\s*[<"]([^>"]+)[>"]', re.MULTILINE)


def closure():
    below = {}

    def visit(layer):
        if layer not in below:
            below[layer] = set()
            for lower in BELOW[layer]:
                below[layer] |= {lower} | visit(lower)
        return below[layer]

    for layer in BELOW:
        visit(layer)
    return below


def faults(root):
    below = closure()
    sources = [p for top in ("sluice", "cli", "python") for p in sorted((root / top).rglob("*")) if p.suffix in (".hpp", ".cpp")]
    if not sources:
        yield f"{root}: no sources found"
    for path in sources:
        parts = path.relative_to(root).parts
        layer = parts[1] if parts[0] == "sluice" else parts[0]
        name = "/".join(parts)
        if layer not in BELOW:
            yield f"{name}: folder '{layer}' is no layer of the architecture"
            continue
        for include in INCLUDE.findall(path.read_text(encoding="utf-8")):
            target = re.match(r"(?:sluice/(\w+)/|(cli|python)/)", include)
            if target:
                other = target.group(1) or target.group(2)
                if other != layer and other not in below[layer]:
                    yield f"{name}: {layer} may not include {other} ({include})"
                if CHECKER in name and not CHECKER_MAY.match(include):
                    yield f"{name}: the independent checker may not include {include}"
                continue
            for pattern, layers in PRIVATE.items():
                if not re.match(pattern, include) or include in HEADER_OK:
                    continue
                if layer not in layers:
                    yield f"{name}: {include} is private to {', '.join(sorted(layers))}"
                elif path.suffix == ".hpp" and layer not in ("cli",) and not is_private_header(path):
                    yield f"{name}: {include} stands in a header that other layers can include"


def is_private_header(path):
    """A header that says so: its layer's .cpp files alone include it."""
    return "// Private to this layer." in path.read_text(encoding="utf-8")


def private_headers_stay_private(root):
    private = {}
    for path in (root / "sluice").rglob("*.hpp"):
        if is_private_header(path):
            private["/".join(path.relative_to(root).parts)] = path.relative_to(root).parts[1]
    for top in ("sluice", "cli", "python"):
        for path in sorted((root / top).rglob("*.[hc]pp")):
            parts = path.relative_to(root).parts
            layer = parts[1] if parts[0] == "sluice" else parts[0]
            for include in INCLUDE.findall(path.read_text(encoding="utf-8")):
                if include in private and private[include] != layer:
                    yield f"{'/'.join(parts)}: {include} is private to {private[include]}"


def check(root):
    return list(faults(root)) + list(private_headers_stay_private(root))


def self_test():
    cases = [
        ("sluice/graph/a.hpp", '#include "sluice/base/ids.hpp"', True),
        ("sluice/graph/a.hpp", '#include "sluice/cost/stage_problem.hpp"', False),
        ("sluice/bound/a.cpp", '#include "sluice/inference/registry.hpp"', False),
        ("sluice/bound/a.cpp", '#include "sluice/search/slice.hpp"', True),
        ("sluice/bound/check_certificate.cpp", '#include "sluice/search/slice.hpp"', False),
        ("sluice/bound/check_certificate.cpp", '#include "sluice/graph/min_cut.hpp"', False),
        ("sluice/bound/check_serial.cpp", '#include "sluice/search/serial_problem.hpp"', False),
        ("sluice/bound/check_stages.hpp", '#include "sluice/search/refutation.hpp"', False),
        ("sluice/bound/check_stages.cpp", '#include "sluice/bound/cut_network.hpp"', False),
        ("sluice/bound/check_stages.cpp", '#include "sluice/bound/check_groups.hpp"', True),
        ("sluice/bound/check_certificate.cpp", '#include "sluice/cost/stage_problem.hpp"', True),
        ("sluice/plan/a.cpp", "#include <onnx/onnx_pb.h>", False),
        ("sluice/onnx/a.cpp", "#include <onnx/onnx_pb.h>", True),
        ("sluice/onnx/a.hpp", "#include <onnx/onnx_pb.h>", False),
        ("sluice/onnx/a.hpp", "// Private to this layer.\n#include <onnx/onnx_pb.h>", True),
        ("sluice/plan/a.hpp", "#include <nlohmann/json.hpp>", False),
        ("sluice/plan/a.hpp", "#include <nlohmann/json_fwd.hpp>", True),
        ("cli/main.cpp", "#include <CLI/CLI.hpp>", True),
        ("sluice/solve/a.cpp", '#include "cli/flags.hpp"', False),
        ("sluice/newlayer/a.cpp", "", False),
    ]
    for name, text, good in cases:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / name
            path.parent.mkdir(parents=True)
            path.write_text(text)
            found = check(Path(folder))
            if bool(found) == good:
                print(f"self-test: {name} with {text!r}: expected {'no fault' if good else 'a fault'}, got {found}")
                return 1
    print(f"self-test: {len(cases)} cases right")
    return 0


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(self_test())
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    found = check(Path(sys.argv[1]))
    print("\n".join(found) if found else "every include keeps to the layers")
    sys.exit(1 if found else 0)
