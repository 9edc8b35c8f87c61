#!/usr/bin/env python3
"""Runs the same rules on the same events by the graph, by the one-thread loop and by Apache Flink: `make compare`.

Rounds alternate. All must find the same alerts. Nobody writes anything: the graph maintains every view besides, Flink
takes checkpoints, the loop keeps nothing. Without Flink's jars Flink is left out.
"""
import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
JARS = ROOT / ".cache/flink"
SOURCE = ROOT / "benches/peers/flink/FraudJob.java"
# Events in order, each once, none corrected: what all of them can read.
PUNCTUAL = ["late_rate", "too_late_rate", "duplicate_rate", "corrected_rate", "voided_rate", "malformed_rate"]
# Flink's serializers look into classes of the JDK.
OPENED = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in ("lang", "util", "time")]


def arguments():
    """Those of the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--binary", default=str(ROOT / "target/release/streamflow"))
    parser.add_argument("--events", type=int, default=2_000_000)
    parser.add_argument("--customers", type=int, default=100_000)
    parser.add_argument("--workers", type=int, default=1, help="workers of the graph, and slots of Flink")
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


def generate(options, directory):
    """Writes events.jsonl and blacklist.jsonl."""
    quiet = [word for rate in PUNCTUAL for word in ("--set", f"{rate}=0")]
    # A thousand seconds between two payments of a customer are what the generator suits.
    size = ["--count", options.events, "--customers", options.customers, "--rate", options.customers / 1000]
    files = ["--file", directory / "events.jsonl", "--reference", directory]
    command = [options.binary, "generate", *size, *files, *quiet]
    subprocess.run([str(word) for word in command], check=True)


def run_streamflow(options, directory):
    """One round of graph and loop: {name: (events a second, events a second of processor time)}, and the alerts."""
    out = directory / "report"
    command = [options.binary, "bench", "engine", "--repeat", "1", "--workers", options.workers]
    command += ["--input", directory / "events.jsonl", "--blacklist", directory / "blacklist.jsonl", "--out", out]
    subprocess.run([str(word) for word in command], check=True, stdout=subprocess.DEVNULL)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    figures = report["runs"][0]["figures"]
    value = lambda name: figures[name]["value"] if name in figures else None
    speeds = {name: (value(name), value(f"{name}, per core")) for name in ("graph", "loop")}
    return speeds, int(report["settings"]["alerts"])


def compile_flink(directory):
    """The class path of the job; none where the jars or a compiler are missing."""
    fetched = subprocess.run([ROOT / "scripts/jars.sh", "flink"], check=False)
    if fetched.returncode != 0:
        print("Flink is left out: its jars cannot be fetched", file=sys.stderr)
        return None
    classes = directory / "classes"
    try:
        subprocess.run(["javac", "-d", classes, "-cp", f"{JARS}/*", SOURCE], check=True)
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"Flink is left out: {error}", file=sys.stderr)
        return None
    return f"{classes}:{JARS}/*"


def run_flink(class_path, options, directory):
    """One round of Flink: its speeds and the number of alerts."""
    job = [directory / "events.jsonl", directory / "blacklist.jsonl", options.workers, directory / "checkpoints"]
    command = ["java", *OPENED, "-Xmx2g", "-cp", class_path, "FraudJob", *job]
    output = subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True).stdout
    result = json.loads(output.splitlines()[-1])
    events = result["events"]
    return (events / result["seconds"], events / result["processor_seconds"]), result["alerts"]


def main():
    """One table in one run."""
    options = arguments()
    with tempfile.TemporaryDirectory(prefix="streamflow-compare-") as name:
        directory = Path(name)
        generate(options, directory)
        class_path = compile_flink(directory)
        rounds = {}
        alerts = {}
        for _ in range(options.rounds):
            speeds, alerts["streamflow"] = run_streamflow(options, directory)
            if class_path:
                speeds["Flink"], alerts["Flink"] = run_flink(class_path, options, directory)
            for each, speed in speeds.items():
                rounds.setdefault(each, []).append(speed)
        show(options, rounds)
        if len(set(alerts.values())) > 1:
            sys.exit(f"not comparable, the alerts differ: {alerts}")
        print(f"all found the same {alerts['streamflow']} alerts")


def show(options, rounds):
    """The table."""
    workers = "worker" if options.workers == 1 else "workers"
    print(f"{options.events} events, {options.customers} customers, {options.workers} {workers}, {options.rounds} rounds")
    print(f"{'':<8}{'events/s: min - median - max':>34}{'events/s of a core':>22}{'of the loop':>14}")
    median = lambda name, place: statistics.median(speeds[place] for speeds in rounds[name])
    for name, speeds in rounds.items():
        clock = sorted(speed[0] for speed in speeds)
        spread = f"{clock[0]:,.0f} - {median(name, 0):,.0f} - {clock[-1]:,.0f}"
        core = "-" if speeds[0][1] is None else f"{median(name, 1):,.0f}"
        print(f"{name:<8}{spread:>34}{core:>22}{median(name, 0) / median('loop', 0):>14.3f}")


if __name__ == "__main__":
    main()
