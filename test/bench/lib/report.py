"""Rows of a benchmark: one JSON object a line on standard output, remarks on standard error.

A row has a name, a unit, orch's figure, the peers' figures by name (None: the peer cannot be had here, with the
reason on standard error) and the goal of docs/performance.md. Medians, where there is more than one sample.
"""
import json
import os
import statistics
import sys
import time


def say(text):
    print(text, file=sys.stderr, flush=True)


def row(name, unit, orch, peers=None, goal=None, better='less', samples=None):
    """`better`: 'less' or 'more'. `samples`: how many the medians are of."""
    print(json.dumps({'name': name, 'unit': unit, 'orch': orch, 'peers': peers or {}, 'goal': goal,
                      'better': better, 'samples': samples}), flush=True)


def median(samples):
    return statistics.median(samples) if samples else None


def timed(call, *arguments):
    """Milliseconds that the call took."""
    begin = time.monotonic()
    call(*arguments)
    return (time.monotonic() - begin) * 1000


def memory_kib(pid):
    """VmRSS, RssAnon and (where the kernel tells) Pss of a process, in KiB."""
    found = {}
    for name in ('status', 'smaps_rollup'):
        try:
            with open(f'/proc/{pid}/{name}', encoding='utf-8') as file:
                for line in file:
                    key, _, value = line.partition(':')
                    if key in ('VmRSS', 'RssAnon', 'Pss'):
                        found[key] = int(value.split()[0])
        except OSError:
            pass
    return found


def written_bytes(pid):
    with open(f'/proc/{pid}/io', encoding='utf-8') as file:
        return next(int(line.split()[1]) for line in file if line.startswith('write_bytes'))


def cpu_seconds(pid):
    with open(f'/proc/{pid}/stat', encoding='utf-8') as file:
        fields = file.read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')
