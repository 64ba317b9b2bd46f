#!/usr/bin/env python3
"""The tree keeps to its floors, and the check would say if it did not."""

import pathlib
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import check_floors  # noqa: E402

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
FLOORS = "# a comment\n0 base\n1 data\n3 plan/gc\n3 plan/net\n4 loop\n5 linux\n6 shim\n"


def violations(files):
    """What the check says about a src/ with these files."""
    with tempfile.TemporaryDirectory() as directory:
        for name, text in {"floors.txt": FLOORS, **files}.items():
            path = pathlib.Path(directory) / "src" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return list(check_floors.check(directory))


def header(*includes):
    return "#pragma once\n" + "".join(f'#include "{name}"\n' for name in includes)


class Floors(unittest.TestCase):
    def test_this_repository_keeps_to_its_floors(self):
        found = list(check_floors.check(REPOSITORY))
        self.assertEqual(found, [], "\n" + "\n".join(found))

    def test_own_room_lower_floors_and_public_headers_are_fine(self):
        text = header("data/a.h", "base/b.h", "orch/version.h") + "#include <vector>\n"
        self.assertEqual(violations({"data/x.h": text}), [])

    def test_a_higher_floor_is_reported_with_its_line(self):
        found = violations({"base/x.h": header("base/a.h", "data/b.h")})
        self.assertEqual(len(found), 1)
        self.assertTrue(found[0].startswith('src/base/x.h:3: #include "data/b.h"'), found[0])

    def test_a_sibling_on_the_same_floor_is_reported(self):
        self.assertEqual(len(violations({"plan/gc/x.h": header("plan/net/y.h")})), 1)

    def test_the_shim_may_use_only_base_and_linux(self):
        self.assertEqual(violations({"shim/x.h": header("base/a.h", "linux/b.h")}), [])
        self.assertEqual(len(violations({"shim/x.h": header("loop/a.h")})), 1)

    def test_an_include_that_is_not_written_from_src_is_reported(self):
        self.assertEqual(len(violations({"data/x.h": header("value.h")})), 1)

    def test_a_header_without_pragma_once_is_reported(self):
        self.assertEqual(violations({"base/x.h": "\n"}), ["src/base/x.h: no #pragma once"])

    def test_a_file_outside_every_room_is_reported(self):
        self.assertEqual(len(violations({"attic/x.h": header()})), 1)

    def test_a_source_that_nobody_compiles_is_reported(self):
        files = {"base/meson.build": "base_sources = files('a.cpp')\n", "base/a.cpp": ""}
        self.assertEqual(violations(files), [])
        self.assertEqual(len(violations({**files, "base/b.cpp": ""})), 1)

    def test_temporaries_that_the_compiler_frees_twice_are_reported(self):
        def found(line):
            return len(violations({"loop/x.h": header() + line + "\n"}))
        self.assertEqual(found("int n = co_await f(Agg{s, 1});"), 1)
        self.assertEqual(found("int n = co_await f(l, {.a = s});"), 1)
        self.assertEqual(found("co_await offload(l, [s] { return s.size(); });"), 1)
        self.assertEqual(found("co_await f(\n  [=]() mutable { g(); });"), 1)
        self.assertEqual(found("// co_await f(Agg{s});"), 0)
        self.assertEqual(found('co_await f("{a}", {}, x[i](1), std::move(agg));'), 0)
        self.assertEqual(found("if (co_await f(x)) { g(A{1}); }"), 1)
        self.assertEqual(found("while (n < 3 && !co_await f(x)) {}"), 1)
        self.assertEqual(found("if (auto x = co_await f(x); x.ok()) {}"), 0)
        self.assertEqual(found("if (auto x = co_await f(x)) {}"), 0)
        self.assertEqual(found("co_await f(Agg{});"), 1)
        self.assertEqual(found("co_await f(last ? left : kOther, a ? 200 : 500);"), 0)
        self.assertEqual(found("co_await f(gone ? Value::null() : value);"), 1)
        self.assertEqual(found("co_await f(gone ? a : b + g());"), 1)


if __name__ == "__main__":
    unittest.main()
