#!/usr/bin/env python3
"""Prints the rows of report.py (files named on the command line) as one table: orch, peer, ratio, goal."""
import json
import sys


def number(value):
    if value is None:
        return 'absent'
    if isinstance(value, str):
        return value
    return f'{value:,.0f}' if abs(value) >= 100 else f'{value:.3g}'


def verdict(row):
    if row['goal'] is None or row['orch'] is None:
        return ''
    met = row['orch'] <= row['goal'] if row['better'] == 'less' else row['orch'] >= row['goal']
    return 'met' if met else 'missed'


def ratio(row, peer):
    """How many times better than the peer."""
    if not peer or not row['orch']:
        return ''
    value = peer / row['orch'] if row['better'] == 'less' else row['orch'] / peer
    return f'{value:.2f}x'


def lines_of(row):
    peers = list(row['peers'].items()) or [('', None)]
    for at, (peer, value) in enumerate(peers):
        own = [f"{row['name']} ({row['unit']})", number(row['orch'])] if at == 0 else ['', '']
        goal = [number(row['goal']) if row['goal'] is not None else '', verdict(row)] if at == 0 else ['', '']
        yield [*own, f'{peer} {number(value)}' if peer else '', ratio(row, value), *goal]


def main():
    rows = []
    for path in sys.argv[1:]:
        with open(path, encoding='utf-8') as file:
            rows += [json.loads(line) for line in file if line.startswith('{')]
    table = [['what', 'orch', 'peer', 'better by', 'goal', '']]
    for row in rows:
        table += lines_of(row)
    widths = [max(len(line[column]) for line in table) for column in range(len(table[0]))]
    for line in table:
        print('  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


if __name__ == '__main__':
    main()
