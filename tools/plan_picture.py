#!/usr/bin/env python3
"""Draws a plan file as the README's picture: a bar a stage (work, in, out, spill), the bottleneck and the proven bound as lines.

usage: plan_picture.py plan.json picture.svg
"""
import json
import sys

PARTS = [("work_ps", "work", "#3b6ea5"), ("in_ps", "in", "#8fbf73"), ("out_ps", "out", "#e0a33e"), ("spill_ps", "spill", "#b5524a")]
WIDTH, LEFT, RIGHT, BAR, GAP, TOP = 860, 80, 130, 22, 9, 64


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    plan = json.load(open(sys.argv[1], encoding="utf-8"))
    stages, bound = plan["stages"], plan["bound"]
    bottleneck = plan["predicted"]["bottleneck_ps"]
    unit, name = next((u, n) for u, n in ((1e9, "ms"), (1e6, "µs"), (1e3, "ns"), (1, "ps")) if bottleneck >= u or u == 1)
    scale = (WIDTH - LEFT - RIGHT) / bottleneck
    bottom = TOP + len(stages) * (BAR + GAP)
    text = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{bottom + 44}" font-family="sans-serif" font-size="13">',
            f'<rect width="{WIDTH}" height="{bottom + 44}" fill="#ffffff"/>',
            f'<text x="{LEFT}" y="20" font-size="15" font-weight="bold">{plan["model"]["name"]} on {len(stages)} × {plan["platform"]["name"]}</text>']
    x = LEFT
    for key, label, colour in PARTS:
        if any(stage["predicted"][key] for stage in stages):
            text.append(f'<rect x="{x}" y="32" width="12" height="12" fill="{colour}"/><text x="{x + 17}" y="43">{label}</text>')
            x += 70
    for number, stage in enumerate(stages):
        y = TOP + number * (BAR + GAP)
        text.append(f'<text x="{LEFT - 10}" y="{y + 16}" text-anchor="end">stage {number}</text>')
        x = LEFT
        for key, _, colour in PARTS:
            width = stage["predicted"][key] * scale
            if width > 0:
                text.append(f'<rect x="{x:.1f}" y="{y}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>')
                x += width
        text.append(f'<text x="{WIDTH - 30}" y="{y + 16}" text-anchor="end" fill="#555">{sum(stage["predicted"][k] for k, _, _ in PARTS) / unit:.1f} {name}</text>')
    for value, colour, dash in ((bottleneck, "#222222", ""), (bound["value_ps"], "#b5524a", ' stroke-dasharray="5 3"')):
        line = LEFT + value * scale
        text.append(f'<line x1="{line:.1f}" y1="{TOP - 8}" x2="{line:.1f}" y2="{bottom}" stroke="{colour}" stroke-width="1.5"{dash}/>')
    certified = "certified" if bound["certified"] else "not certified"
    text.append(f'<text x="{LEFT}" y="{bottom + 24}">bottleneck {bottleneck / unit:.1f} {name} (black); bound {bound["value_ps"] / unit:.1f} {name}, '
                f'{bound["kind"]}, {certified} (dashed): at most {100 * plan["gap"]:.1f} % from optimal</text>')
    text.append("</svg>")
    open(sys.argv[2], "w", encoding="utf-8").write("\n".join(text) + "\n")


if __name__ == "__main__":
    main()
