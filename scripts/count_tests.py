#!/usr/bin/env python3
"""Adds up a `meson test` run: `<passed> <failed> <skipped>`, with every Catch2 case counted.

usage: count_tests.py <build directory>

A program that wrote no readable report, or that failed although its report says otherwise (a
crash, a leak found at exit, a timeout), counts as one failure of its own.
"""

import json
import pathlib
import sys
import xml.etree.ElementTree as ElementTree


def read_report(path):
    """(passed, failed, skipped) of a Catch2 XML report, or None."""
    try:
        totals = ElementTree.parse(path).getroot().find("OverallResultsCases")
    except (OSError, ElementTree.ParseError):
        return None
    if totals is None:
        return None
    # A case that is expected to fail, and does, passed.
    passed = int(totals.get("successes", 0)) + int(totals.get("expectedFailures", 0))
    return passed, int(totals.get("failures", 0)), int(totals.get("skips", 0))


def count(test, build):
    ok = test["result"] in ("OK", "EXPECTEDFAIL")
    if test["result"] == "SKIP":
        return 0, 0, 1
    reports = [a[len("xml::out="):] for a in test["command"] if a.startswith("xml::out=")]
    if not reports:
        return (1, 0, 0) if ok else (0, 1, 0)
    passed, failed, skipped = read_report(build / "test" / reports[0]) or (0, 0, 0)
    if passed + failed + skipped == 0 or (not ok and failed == 0):
        failed += 1
    return passed, failed, skipped


def main():
    build = pathlib.Path(sys.argv[1])
    totals = [0, 0, 0]
    for line in (build / "meson-logs" / "testlog.json").read_text().splitlines():
        totals = [a + b for a, b in zip(totals, count(json.loads(line), build))]
    print(*totals)


if __name__ == "__main__":
    main()
