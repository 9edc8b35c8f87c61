#!/usr/bin/env python3
"""Checks that the graph has not become slower, against the one-thread loop on the same machine in the same minute.

usage: engine.py BINARY

The ratio of both is committed in benches/engine-ratio.json for the build that tests use. It is of processor time, and
the median of alternating rounds, so that a busy machine matters little; a low one is measured again. No time and no
rate is compared: those are another machine's.
"""
import json
import subprocess
import sys
import tempfile
from pathlib import Path

COMMITTED = Path(__file__).resolve().parent.parent / "benches/engine-ratio.json"
FIGURES = ["of the loop, per core", "of the loop"]
ATTEMPTS = 3


def measured(binary, arguments):
    """The median ratio: of processor time, or by the clock where the system does not tell it."""
    with tempfile.TemporaryDirectory() as out:
        command = [binary, "bench", "engine", *arguments, "--out", out]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        runs = json.loads((Path(out) / "report.json").read_text(encoding="utf-8"))["runs"]
    name = next(name for name in FIGURES if name in runs[0]["figures"])
    ratios = sorted(run["figures"][name]["value"] for run in runs)
    return ratios[len(ratios) // 2]


def main():
    """Fails where every attempt is below the tolerance."""
    committed = json.loads(COMMITTED.read_text(encoding="utf-8"))
    least = committed["ratio"] * committed["tolerance"]
    for _ in range(ATTEMPTS):
        ratio = measured(sys.argv[1], committed["arguments"])
        print(f"the graph has {ratio:.3f} of the one-thread loop's speed; at least {least:.3f} is expected")
        if ratio >= least:
            return
    sys.exit("the graph has become slower: find out why, or commit the new ratio with the reason")


if __name__ == "__main__":
    main()
