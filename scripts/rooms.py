#!/usr/bin/env python3
"""Checks that the parts of the workspace use each other in one direction only.

Modules: a module's file and everything below it is a room. Siblings must not form a circle, in any crate and on any level, by what
they use of each other (`use`, and paths in the code). What is re-exported counts for the file that defines it. A parent and its
children may use each other. Tests are left out.

Crates: each must depend on those that the drawing under "## Crates" in docs/ARCHITECTURE.md gives it, and on no others.

Prints a line for each circle and each difference, and exits with 1 where there is any. --selftest checks the check itself.
"""

import json
import re
import subprocess
import sys
import unittest
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
DRAWING = Path("docs/ARCHITECTURE.md")

# Comments, texts and characters are skipped; names, `::` and single signs are kept.
TOKEN = re.compile(
    r"""(?P<skip>//[^\n]*|/\*.*?\*/|b?r(?P<hashes>\#*)".*?"(?P=hashes)|b?"(?:\\.|[^"\\])*"|b?'(?:\\[^\n]+?|[^\\'\n])'|'\w+|\s+)"""
    r"""|(?:r\#)?[A-Za-z_]\w*|::|\d[\w.]*|.""",
    re.DOTALL | re.VERBOSE,
)
DEFINING = {"fn", "struct", "enum", "union", "trait", "type", "const", "static", "macro_rules"}
OPENING, CLOSING = set("([{"), set(")]}")
IDENTIFIER = re.compile(r"(?:r#)?[A-Za-z_]\w*$")


@dataclass
class Module:
    """A module: what it defines, what its names stand for, and the paths that it uses."""

    path: tuple
    file: Path
    defined: set = field(default_factory=set)
    imports: dict = field(default_factory=dict)
    globs: list = field(default_factory=list)
    used: list = field(default_factory=list)


# --- Reading Rust


def tokens_of(source):
    """The tokens of a source text, without tests."""
    tokens = [match[0] for match in TOKEN.finditer(source) if match["skip"] is None]
    kept, at = [], 0
    while at < len(tokens):
        if tokens[at : at + 7] == ["#", "[", "cfg", "(", "test", ")", "]"]:
            at = end_of_item(tokens, at + 7)
        else:
            kept.append(tokens[at])
            at += 1
    return kept


def end_of_item(tokens, at):
    """The index after the item that begins at `at`: behind its `;`, or behind its body."""
    depth, importing = 0, False
    while at < len(tokens):
        token = tokens[at]
        at += 1
        importing |= depth == 0 and token == "use"
        if token in OPENING:
            depth += 1
        elif token in CLOSING:
            depth -= 1
        if depth == 0 and (token == ";" or (token == "}" and not importing)):
            break
    return at


def use_tree(tokens, at, prefix):
    """The (path, name) pairs of a `use` from `at` on, and the index behind it. The name of a glob is `*`."""
    path = list(prefix)
    pairs = []
    while at < len(tokens):
        token = tokens[at]
        if token == "{":
            at += 1
            while tokens[at] != "}":
                inner, at = use_tree(tokens, at, path)
                pairs += inner
                at += tokens[at] == ","
            return pairs, at + 1
        if token == "*":
            return [(tuple(path), "*")], at + 1
        if token == "as":
            return [(tuple(path), tokens[at + 1])], at + 2
        if token in {",", "}", ";"}:
            break
        if token != "::":
            path.append(token)
        at += 1
    if path[-1:] == ["self"] and len(path) > 1:
        path.pop()
    return [(tuple(path), path[-1])], at


def read(module, source):
    """Fills `module` from its source and returns the names of its child modules."""
    tokens, at, children = tokens_of(source), 0, []
    while at < len(tokens):
        token, following = tokens[at], tokens[at + 1 : at + 3]
        if token == "use" and following[0] != "<":
            # A path that begins with `::` is of another crate.
            outside = following[0] == "::"
            pairs, at = use_tree(tokens, at + 1, ())
            for path, name in [] if outside else pairs:
                module.used.append(path)
                if name == "*":
                    module.globs.append(path)
                elif path != (name,):
                    module.imports[name] = path
            continue
        if token == "mod" and following[1:] == [";"]:
            children.append(following[0])
        elif token in DEFINING and following:
            module.defined.add(following[1] if following[0] == "!" else following[0])
        elif IDENTIFIER.match(token) and following[:1] == ["::"] and tokens[at - 1 : at] != ["::"]:
            path = [token]
            while tokens[at + 1 : at + 2] == ["::"] and IDENTIFIER.match(tokens[at + 2]):
                path.append(tokens[at + 2])
                at += 2
            module.used.append(tuple(path))
        at += 1
    return children


def modules_of(root):
    """All modules of the crate whose root file is `root`, by path."""
    modules = {}

    def visit(path, file, folder):
        module = modules[path] = Module(path, file)
        for child in read(module, file.read_text(encoding="utf-8")):
            beside, within = folder / f"{child}.rs", folder / child / "mod.rs"
            visit((*path, child), beside if beside.exists() else within, folder / child)

    visit((), root, root.parent)
    return modules


# --- Who uses whom


def resolve(modules, here, path, followed=frozenset()):
    """The module that holds what `path` names in the module `here`; `None` where that is of another crate.

    `followed` are the imports that led here."""
    first, rest = path[0], path[1:]
    if first == "crate":
        return resolve(modules, (), rest, followed) if rest else ()
    if first in {"self", "super"}:
        start = here if first == "self" else here[:-1]
        return resolve(modules, start, rest, followed) if rest else start
    module = modules[here]
    if (*here, first) in modules:
        return descend(modules, (*here, first), rest, followed)
    if first in module.imports:
        hop = (here, first)
        return None if hop in followed else resolve(modules, here, module.imports[first] + rest, followed | {hop})
    if first in module.defined:
        return here
    for glob in module.globs:
        hop = (here, glob)
        target = None if hop in followed else resolve(modules, here, glob, followed | {hop})
        found = None if target in (None, here) else resolve(modules, target, path, followed | {hop})
        if found is not None:
            return found
    return None


def descend(modules, module, path, followed):
    """As `resolve`, in a module that was named: what is not found there (a macro's work) is still its own."""
    if not path:
        return module
    found = resolve(modules, module, path, followed)
    imported = path[0] in modules[module].imports
    return module if found is None and not imported else found


def uses_between_siblings(modules):
    """For each parent, which of its children uses which: `{parent: {child: {other: (using file, used file)}}}`."""
    levels = {}
    for here, module in modules.items():
        for path in module.used:
            target = resolve(modules, here, path)
            if target is None:
                continue
            shared = 0
            while shared < min(len(here), len(target)) and here[shared] == target[shared]:
                shared += 1
            if shared < min(len(here), len(target)):
                children = levels.setdefault(here[:shared], {})
                children.setdefault(here[shared], {}).setdefault(target[shared], (module.file, modules[target].file))
    return levels


def circles(uses):
    """The shortest circle through each use, each circle once."""
    found = {}
    for start, targets in uses.items():
        for target in targets:
            way = shortest(uses, target, start)
            if way:
                found.setdefault(frozenset(way), way)
    return list(found.values())


def shortest(uses, start, goal):
    """The shortest way from `start` to `goal`, if there is one."""
    ways, reached = [[start]], {start}
    for way in ways:
        if way[-1] == goal:
            return way
        for following in uses.get(way[-1], {}):
            if following not in reached:
                reached.add(following)
                ways.append([*way, following])
    return None


def circles_of(root, base):
    """A line for each circle among the modules of a crate, with the files that close it."""
    lines = []
    for parent, uses in uses_between_siblings(modules_of(root)).items():
        for way in circles(uses):
            steps = []
            for child, other in zip(way, [*way[1:], way[0]]):
                using, used = uses[child][other]
                steps.append(f"{using.relative_to(base)} uses {used.relative_to(base)}")
            lines.append(f"circle in {'::'.join(('crate', *parent))}: " + ", ".join(steps))
    return lines


# --- Crates


def drawn_crates(document):
    """What the document's drawing of the crates says: `{crate: {crates it depends on}}`."""
    section = document.split("\n## Crates\n", 1)[1]
    drawing = section.split("```text\n", 1)[1].split("```", 1)[0]
    lines = re.findall(r"^(\S+) +──> +([^;\n]+)", drawing, re.MULTILINE)
    return {crate: set(others.replace(",", " ").split()) - {"nothing"} for crate, others in lines}


def real_crates(packages):
    """The same of the packages that cargo lists; tests may depend on what they like."""
    names_here = {package["name"] for package in packages}
    return {
        short(package["name"]): {
            short(each["name"]) for each in package["dependencies"] if each["kind"] != "dev" and each["name"] in names_here
        }
        for package in packages
    }


def short(name):
    """A crate's name in the drawing."""
    return name.removeprefix("streamflow-")


def differences(drawn, real):
    """A line for each dependency that is not drawn, and each that is drawn and absent."""
    lines = []
    for crate in sorted(drawn.keys() | real.keys()):
        if crate not in drawn or crate not in real:
            lines.append(f"crate {crate}: " + ("is not drawn" if crate in real else "is drawn, and absent"))
            continue
        lines += [f"crate {crate}: its dependency {other} is not drawn" for other in sorted(real[crate] - drawn[crate])]
        lines += [f"crate {crate}: {other} is drawn, and no dependency" for other in sorted(drawn[crate] - real[crate])]
    return lines


def main():
    """Checks the workspace."""
    metadata = ["cargo", "metadata", "--no-deps", "--format-version", "1"]
    packages = json.loads(subprocess.run(metadata, cwd=ROOT, check=True, stdout=subprocess.PIPE).stdout)["packages"]
    faults = []
    for package in packages:
        for target in package["targets"]:
            if {"lib", "bin"} & set(target["kind"]):
                faults += circles_of(Path(target["src_path"]), ROOT)
    drawing = (ROOT / DRAWING).read_text(encoding="utf-8")
    faults += [f"{DRAWING}: {line}" for line in differences(drawn_crates(drawing), real_crates(packages))]
    print("\n".join(faults) or "no circles among the modules, and the crates are as drawn")
    sys.exit(bool(faults))


class Selftest(unittest.TestCase):
    """What counts as a circle, and as a difference."""

    def circles(self, **files):
        """The circles of a crate of these files; `a__b` is a/b.rs."""
        import tempfile

        with tempfile.TemporaryDirectory() as directory:
            folder = Path(directory)
            for name, source in files.items():
                file = folder / (name.replace("__", "/") + ".rs")
                file.parent.mkdir(exist_ok=True)
                file.write_text(source, encoding="utf-8")
            return circles_of(folder / "lib.rs", folder)

    def test_siblings_that_use_each_other_are_a_circle(self):
        lines = self.circles(lib="mod a; mod b;", a="use crate::b::{self, B};", b="fn f() { super::a::A::new(); }")
        self.assertEqual(lines, ["circle in crate: b.rs uses a.rs, a.rs uses b.rs"])

    def test_paths_in_signatures_count(self):
        lines = self.circles(lib="mod a; mod b;", a="fn f() -> crate::b::B { }", b="type A<T> = Vec<super::a::A<T>>;")
        self.assertEqual(len(lines), 1)

    def test_one_direction_is_none(self):
        self.assertEqual(self.circles(lib="mod a; mod b;", a="use crate::b::B;", b="use std::fmt::a;"), [])

    def test_parent_and_child_may_use_each_other(self):
        self.assertEqual(self.circles(lib="mod a;", a__mod="mod b; use b::B; struct A;", a__b="use super::A;"), [])

    def test_a_folder_is_one_room(self):
        lines = self.circles(lib="mod a; mod c;", a__mod="mod b;", a__b="use crate::c::C;", c="use crate::a::A;")
        self.assertEqual(lines, ["circle in crate: c.rs uses a/mod.rs, a/b.rs uses c.rs"])

    def test_a_longer_circle_is_found(self):
        lines = self.circles(lib="mod a; mod b; mod c;", a="use crate::b;", b="use crate::c;", c="use crate::a;")
        self.assertEqual(len(lines), 1)

    def test_a_re_export_counts_for_the_file_that_defines_it(self):
        inner = {"a__b": "use crate::a::C;", "a__c": "pub struct C; use super::b::B;"}
        for exporting in ("pub use c::C;", "pub use c::*;", "pub use c::{self, C}; impl D { fn C() {} }"):
            lines = self.circles(lib="mod a;", a__mod="mod b; mod c; " + exporting, **inner)
            self.assertEqual(lines, ["circle in crate::a: a/c.rs uses a/b.rs, a/b.rs uses a/c.rs"])

    def test_a_module_that_was_imported_is_followed(self):
        lines = self.circles(lib="mod a; mod b;", a="use crate::b as other; type A = other::B;", b="use crate::a;")
        self.assertEqual(len(lines), 1)

    def test_what_follows_tests_counts(self):
        for tests in ("mod tests { use super::*; }", "mod tests;", "use std::{a, b};", "fn f() { }"):
            lines = self.circles(lib="mod a; mod b;", a=f"#[cfg(test)] {tests} use crate::b;", b="use crate::a;")
            self.assertEqual(len(lines), 1, tests)

    def test_tests_and_texts_and_comments_do_not_count(self):
        quiet = '#[cfg(test)] mod tests { use crate::b::B; } /* crate::b */ const A: &str = "crate::b::B"; // crate::b'
        self.assertEqual(self.circles(lib="mod a; mod b;", a=quiet, b="use crate::a::A;"), [])

    def test_crates_must_be_as_drawn(self):
        drawn = drawn_crates("# A\n## Crates\n\n```text\na ──> b, c\nb ──> nothing; free\nd ──> nothing\n```\n")
        self.assertEqual(drawn, {"a": {"b", "c"}, "b": set(), "d": set()})
        lines = differences(drawn, {"a": {"b"}, "b": {"a"}, "e": set()})
        said = ["a: c is drawn, and no dependency", "b: its dependency a is not drawn", "d: is drawn, and absent", "e: is not drawn"]
        self.assertEqual(lines, [f"crate {line}" for line in said])


if __name__ == "__main__":
    if sys.argv[1:] == ["--selftest"]:
        unittest.main(argv=sys.argv[:1])
    main()
