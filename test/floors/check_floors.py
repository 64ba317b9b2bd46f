#!/usr/bin/env python3
"""Checks src/ against src/floors.txt: every #include, #pragma once, and that meson builds it all.
Also looks for temporaries in co_await expressions that g++ 12 miscompiles (src/loop/task.h).

usage: check_floors.py [repository root]; prints one line per violation and exits 1 if any.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*"([^"]+)"')
# The shim is a program of its own; whatever else is below its floor is too heavy for it.
RESTRICTED = {"shim": {"base", "steps", "linux"}}
# Public headers, in include/ and generated from there.
PUBLIC_PREFIX = "orch/"


def read_floors(path):
    """{room: floor} from lines `<floor> <room>`."""
    floors = {}
    for line in path.read_text().splitlines():
        if line.strip() and not line.startswith("#"):
            floor, room = line.split()
            floors[room] = int(floor)
    return floors


def room_of(relative, floors):
    """The room that a path below src/ belongs to: the longest one that is its prefix."""
    parts = relative.split("/")[:-1]
    for length in range(len(parts), 0, -1):
        if "/".join(parts[:length]) in floors:
            return "/".join(parts[:length])
    return None


def may_include(room, other, floors):
    if room == other:
        return True
    if room in RESTRICTED:
        return other in RESTRICTED[room]
    return floors[other] < floors[room]


def check_includes(relative, text, room, floors):
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match or match[1].startswith(PUBLIC_PREFIX):
            continue
        other = room_of(match[1], floors)
        where = f"src/{relative}:{number}: {line.strip()}"
        if other is None:
            yield f"{where}: names no room (includes are written from src/)"
        elif not may_include(room, other, floors):
            yield (f"{where}: {room} (floor {floors[room]}) may not include "
                   f"{other} (floor {floors[other]})")


def check_room_builds(source, room, paths):
    """Every .cpp of a room is named in its meson.build: a file nobody compiles rots."""
    meson_build = source / room / "meson.build"
    if not meson_build.is_file():
        if paths:
            yield f"src/{room}: has sources but no meson.build"
        return
    named = set(re.findall(r"'([^']+\.cpp)'", meson_build.read_text()))
    for path in paths:
        relative = path.relative_to(source / room).as_posix()
        if relative not in named:
            yield f"src/{room}/{relative}: not in src/{room}/meson.build"


COMMENT_OR_STRING = re.compile(r'//[^\n]*|"(?:\\.|[^"\\\n])*"')
MISCOMPILED = [
    (re.compile(r"(?:^|[(,=]\s*)\[[^\]]+\]\s*[({m]"), "a lambda with captures"),
    (re.compile(r"[\w>]\s*\{|[(,]\s*\{\s*[^}\s]"), "a braced aggregate"),
]


def awaited_expression(text, start):
    """What follows co_await, up to the end of its statement or of the parenthesis it is in."""
    depth = 0
    for position in range(start, len(text)):
        if text[position] in "([{":
            depth += 1
        elif text[position] in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and text[position] in ";"):
            return text[start:position]
    return text[start:]


def makes_temporary(expression):
    """A ?: whose branches are more than names, members and numbers."""
    for match in re.finditer(r"\?([^:]*):([^,)]*)", expression.replace("::", "__")):
        if not all(re.fullmatch(r'\s*[\w.>"-]+\s*', branch) for branch in match.groups()):
            return True
    return False


def check_conditions(relative, text):
    """co_await as the condition itself; a declaration or an init-statement is fine."""
    for match in re.finditer(r"\b(?:if|while|switch)\s*\(", text):
        condition = awaited_expression(text.replace(";", " "), match.end())
        whole = text[match.end():match.end() + len(condition)]
        last = whole.rsplit(";", 1)[-1]
        declares = re.match(r"\s*(?:const\s+)?[\w:<>]+[&\s]+\w+\s*=[^=]", last)
        if "co_await" in last and not declares:
            line = text.count("\n", 0, match.start()) + 1
            yield (f"src/{relative}:{line}: co_await in a condition: "
                   "g++ 12 loses its way, put the value into a variable")


def check_coroutines(relative, text):
    text = COMMENT_OR_STRING.sub(lambda m: '""' if m[0][0] == '"' else "", text)
    yield from check_conditions(relative, text)
    for match in re.finditer(r"(?<!operator )\bco_await\b", text):
        expression = awaited_expression(text, match.end())
        if makes_temporary(expression):
            line = text.count("\n", 0, match.start()) + 1
            yield (f"src/{relative}:{line}: a ?: with temporaries in a co_await expression: "
                   "g++ 12 frees them twice, name it first")
        for pattern, what in MISCOMPILED:
            if pattern.search(expression):
                line = text.count("\n", 0, match.start()) + 1
                yield (f"src/{relative}:{line}: {what} in a co_await expression: "
                       "g++ 12 frees it twice, name it first")
                break


def check(root):
    source = pathlib.Path(root) / "src"
    floors = read_floors(source / "floors.txt")
    compiled = {}
    for path in sorted(source.rglob("*")):
        if path.suffix not in (".h", ".cpp"):
            continue
        relative = path.relative_to(source).as_posix()
        room = room_of(relative, floors)
        if room is None:
            yield f"src/{relative}: in no room of src/floors.txt"
            continue
        text = path.read_text(encoding="utf-8")
        if path.suffix == ".h" and not re.search(r"^#pragma once$", text, re.M):
            yield f"src/{relative}: no #pragma once"
        if path.suffix == ".cpp":
            compiled.setdefault(room, []).append(path)
        yield from check_includes(relative, text, room, floors)
        yield from check_coroutines(relative, text)
    for room, paths in compiled.items():
        yield from check_room_builds(source, room, paths)


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parents[2]
    violations = list(check(root))
    for violation in violations:
        print(violation)
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
