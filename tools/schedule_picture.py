#!/usr/bin/env python3
"""Draws how devices work through one mini-batch: traces of `sluice simulate --trace` below each other on one time scale.

usage: schedule_picture.py picture.svg TITLE=trace.json...
"""
import json
import sys
from xml.sax.saxutils import escape

COLOURS = {"forward": "#3b6ea5", "backward_input": "#e0a33e", "backward_weight": "#8fbf73", "all_reduce": "#999999", "optimizer_step": "#b5524a"}
LABELS = {"forward": "forward", "backward_input": "gradient of the input", "backward_weight": "gradient of the weights", "all_reduce": "all-reduce",
          "optimizer_step": "optimiser"}
WIDTH, LEFT, RIGHT, BAR, GAP = 900, 70, 20, 13, 3


def read(path):
    """Devices in their order: lists of (start, end, what) in microseconds; the end of the last."""
    events = json.load(open(path, encoding="utf-8"))["traceEvents"]
    threads = {(e["pid"], e["tid"]) for e in events if e["ph"] == "M" and e["name"] == "thread_name" and e["args"]["name"] == "compute"}
    rows = {pid: [] for pid, _ in sorted(threads)}
    for event in events:
        if event["ph"] == "X" and (event["pid"], event.get("tid")) in threads:
            what = event["name"].split()[2]
            rows[event["pid"]].append((event["ts"], event["ts"] + event["dur"], what))
    return list(rows.values()), max(end for row in rows.values() for _, end, _ in row)


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    panels = [(title, *read(path)) for title, path in (argument.split("=", 1) for argument in sys.argv[2:])]
    scale = (WIDTH - LEFT - RIGHT) / max(end for _, _, end in panels)
    text, y = [], 40
    x = LEFT
    for what, label in LABELS.items():
        if any(what == done for _, rows, _ in panels for row in rows for _, _, done in row):
            text.append(f'<rect x="{x}" y="12" width="12" height="12" fill="{COLOURS[what]}"/><text x="{x + 17}" y="22">{label}</text>')
            x += 30 + 7 * len(label)
    for title, rows, last in panels:
        y += 22
        text.append(f'<text x="{LEFT}" y="{y - 6}" font-weight="bold">{escape(title)}: {last / 1e3:.0f} ms</text>')
        for number, row in enumerate(rows):
            text.append(f'<text x="{LEFT - 8}" y="{y + 11}" text-anchor="end" font-size="11">device {number}</text>')
            text.append(f'<rect x="{LEFT}" y="{y}" width="{last * scale:.1f}" height="{BAR}" fill="#f0f0f0"/>')
            text += [f'<rect x="{LEFT + start * scale:.2f}" y="{y}" width="{max(0.2, (end - start) * scale - 0.3):.2f}" height="{BAR}" fill="{COLOURS[what]}"/>'
                     for start, end, what in row]
            y += BAR + GAP
        y += 8
    head = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{y + 8}" font-family="sans-serif" font-size="13">', f'<rect width="{WIDTH}" height="{y + 8}" fill="#ffffff"/>']
    open(sys.argv[1], "w", encoding="utf-8").write("\n".join([*head, *text, "</svg>"]) + "\n")


if __name__ == "__main__":
    main()
