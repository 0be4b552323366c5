"""Bound over best by number of stages, a line a method, a panel a link rate."""
import os

COLOURS = {"simple": "#9aa5b1", "+ anchored": "#e0a33e", "+ chain": "#4c9f70", "+ counting": "#3f7cac", "+ covering": "#c8553d", "+ exact engine": "#22313f",
           "three superblocks": "#b56bb0", "exact MIP": "#7a4988"}


def write(results, path):
    """Nothing, and no file, where no real graph was measured."""
    by_name = {p["name"]: p for p in results.suite["parts"]}
    core, stages = by_name["core"], sorted(by_name["core"]["stages"] + by_name["stages"]["stages"])
    rates = sorted(core["rates"])
    if not any(line["model"] in results.suite["lists"]["real"] for line in results.good):
        return
    import matplotlib  # slow to load: not before it is needed

    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "sluice"  # equal figures give equal files
    import matplotlib.pyplot as plt

    figure, panels = plt.subplots(1, len(rates), figsize=(11, 3.6), sharey=True, layout="constrained")
    for panel, rate in zip(panels, rates):
        points = {}
        for k in stages:
            instances = results.instances(results.suite["lists"]["real"], core["platform"].format(rate=rate), k)
            for name, (mean, count) in results.ladder_means(instances, core["seconds"]).items():
                if 2 * count > len(instances):
                    points.setdefault(name, []).append((k, mean))
        for name, line in points.items():
            mip = not name.startswith("+") and name != "simple"
            panel.plot(*zip(*line), color=COLOURS[name], label=name, marker="o", markersize=3.5, linewidth=1.6, linestyle="--" if mip else "-")
        panel.set_xscale("log", base=2)
        panel.set_xticks(stages, [str(k) for k in stages])
        panel.set_title(f"{rate} GB/s", fontsize=10)
        panel.set_xlabel("k")
        panel.set_ylim(0, 1.02)
        panel.grid(alpha=0.25)
    panels[0].set_ylabel("bound / best, geometric mean")
    handles = {label: handle for panel in panels for handle, label in zip(*panel.get_legend_handles_labels())}
    if handles:
        panels[-1].legend(handles.values(), handles.keys(), fontsize=8, loc="lower right")
    fresh = path.with_suffix(f".{os.getpid()}.making")
    figure.savefig(fresh, format="svg", metadata={"Date": None})
    os.replace(fresh, path)
    plt.close(figure)
