#!/usr/bin/env python3
"""Checks that what others made is named exactly: actions of workflows by their commit, images by version or digest.

usage: supply.py REPOSITORY
"""

import glob
import os
import re
import sys

import yaml

# Where actions and images are named, and how.
ACTION = re.compile(r"^\s*(?:-\s+)?uses:\s*(\S+)(.*)$")
IMAGE = re.compile(r"^\s*(?:(?:-\s+)?(?:image|container):\s*|ARG \w+_IMAGE=)([\w./-]+:\S+)")
# Built here, so there is nobody to trust but us.
OURS = "localhost/"
NEEDED = {"anchore/scan-action": "looks for known vulnerabilities in the image", "anchore/sbom-action": "makes an inventory of the image"}


def lines(root, *patterns):
    """Each line of the files, with the file's name and the line's number."""
    for pattern in patterns:
        for path in sorted(glob.glob(os.path.join(root, pattern), recursive=True)):
            with open(path, encoding="utf-8") as file:
                for number, line in enumerate(file, 1):
                    yield f"{os.path.relpath(path, root)}:{number}", line.rstrip("\n")


def check_actions(root):
    """Tags can be moved by whoever owns, or has taken over, an action; a commit cannot. The version is for people."""
    for where, line in lines(root, ".github/workflows/*.y*ml"):
        found = ACTION.match(line)
        if found and not found[1].startswith("./"):
            yield re.search(r"@[0-9a-f]{40}$", found[1]), f"{where}: {found[1]} must be named by its commit"
            yield re.search(r"#\s*v\d+\.\d+\.\d+$", found[2]), f"{where}: which version is {found[1]}?"


def check_images(root):
    files = (".github/workflows/*.y*ml", "docker-compose.yaml", "Dockerfile", "k8s/**/*.yaml")
    for where, line in lines(root, *files):
        found = IMAGE.match(line)
        if found and not found[1].startswith(OURS):
            exact = re.search(r"@sha256:[0-9a-f]{64}$|:v?\d+\.\d+(\.\d+)?[\w.-]*$", found[1])
            yield exact, f"{where}: {found[1]} is another image tomorrow: give its version, or digest"


def check_workflow(root):
    """The workflow has no right but to read, and looks at what it builds."""
    used = set()
    for path in glob.glob(os.path.join(root, ".github/workflows/*.y*ml")):
        with open(path, encoding="utf-8") as file:
            workflow = yaml.safe_load(file)
        name = os.path.relpath(path, root)
        yield workflow.get("permissions") == {"contents": "read"}, f"{name}: permissions must be contents: read"
        for job in workflow["jobs"].values():
            yield "permissions" not in job, f"{name}: a job with permissions of its own"
            used |= {step.get("uses", "").split("@")[0] for step in job["steps"]}
    for action, what in NEEDED.items():
        yield action in used, f"no workflow {what}: {action}"


def check(root):
    """Yields (holds, what is wrong where it does not)."""
    yield from check_actions(root)
    yield from check_images(root)
    yield from check_workflow(root)


def main():
    outcomes = list(check(sys.argv[1]))
    wrong = [problem for holds, problem in outcomes if not holds]
    for problem in wrong:
        print(problem, file=sys.stderr)
    print(f"{len(outcomes)} rules about what others made, {len(wrong)} broken")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
