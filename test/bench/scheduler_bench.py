#!/usr/bin/env python3
"""Pods a second that get a node, on 1,000 and 5,000 simulated nodes: the decision alone, and with its driver over an
API that costs nothing. Builds scheduler_bench (-O2) in build-bench."""
import os
import re
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.abspath(os.path.join(HERE, '..', '..'))
sys.path.insert(0, os.path.join(HERE, 'lib'))
from report import row, say  # noqa: E402

LINE = re.compile(r'(\w+)\s+(\d+) nodes\s+(\d+) pods:.*?([\d.]+) pods/s; processor time')


def build():
    directory = os.path.join(ROOT, 'build-bench')
    if not os.path.exists(os.path.join(directory, 'build.ninja')):
        subprocess.run(['meson', 'setup', directory, ROOT, '-Dtests=true', '-Doptimization=2', '-Ddebug=false'],
                       check=True, stdout=sys.stderr)
    subprocess.run(['ninja', '-C', directory, 'test/bench/scheduler_bench'], check=True, stdout=sys.stderr)
    return os.path.join(directory, 'test', 'bench', 'scheduler_bench')


def main():
    done = subprocess.run([build()], check=True, capture_output=True, text=True, timeout=110)
    say(done.stdout)
    for what, nodes, _, rate in LINE.findall(done.stdout):
        row(f'scheduler: {what}, {int(nodes):,} nodes', 'pods/s', float(rate), goal=10_000, better='more')


if __name__ == '__main__':
    main()
