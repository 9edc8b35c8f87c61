#!/usr/bin/env python3
"""Writes the dashboards, *.json beside this file, or with a directory as argument into that."""

import json
import sys
from pathlib import Path

# Nothing but the dashboards is written.
sys.dont_write_bytecode = True

import dataflow
import fraud
import overview
import progress
from grafana import dashboard

DASHBOARDS = {"overview": overview, "progress": progress, "dataflow": dataflow, "fraud": fraud}


def main(directory):
    """Writes all of them."""
    titles = {f"streamflow-{name}": module.TITLE for name, module in DASHBOARDS.items()}
    for name, module in DASHBOARDS.items():
        content = dashboard(f"streamflow-{name}", titles, module.__doc__, module.page().panels)
        text = json.dumps(content, indent=1, ensure_ascii=False)
        (directory / f"{name}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
