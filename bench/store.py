"""Results as JSON lines, one finished run each, appended and flushed to disk at once: whatever ends a bench, what was finished is kept."""
import fcntl
import json
import os


class Store:
    def __init__(self, folder, shard):
        folder.mkdir(parents=True, exist_ok=True)
        self.file = open(folder / f"{shard}.jsonl", "a+b")
        try:
            fcntl.flock(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self.file.close()
            raise SystemExit(f"{self.file.name}: another bench is writing to this shard") from None
        self.file.seek(0, os.SEEK_END)
        if self.file.tell() > 0:
            self.file.seek(-1, os.SEEK_END)
            if self.file.read(1) != b"\n":  # a bench was killed inside a line
                self.file.write(b"\n")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.file.close()

    def append(self, line):
        self.file.write((json.dumps(line) + "\n").encode())
        self.file.flush()
        os.fsync(self.file.fileno())


def read(folder):
    """All whole lines of all shards, the latest of each key, in the order of their time. A line cut short by a kill is not counted."""
    lines = {}
    for path in sorted(folder.glob("*.jsonl")):
        for text in path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                line = json.loads(text)
            except json.JSONDecodeError:
                continue
            if line["key"] not in lines or lines[line["key"]]["at"] <= line["at"]:
                lines[line["key"]] = line
    return sorted(lines.values(), key=lambda line: (line["at"], line["key"]))
