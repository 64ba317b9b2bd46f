#!/usr/bin/env python3
"""Figures of one idle and one loaded server: start, memory, idle writes, creates, gets, lists."""
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), '..', 'e2e', 'lib'))
from cluster import Server  # noqa: E402

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))
from report import row  # noqa: E402

GOALS = {'start_to_ready_ms_median': 200, 'idle_rss_kib': 30720, 'idle_cpu_percent': 0.1, 'list_1000_pods_ms_median': 2,
         'creates_per_second_1_client': 2500, 'creates_per_second_50_clients': 15000, 'gets_per_second_50_clients': 25000,
         'rss_kib_with_10000_pods_above_empty': 61440}


def memory(pid):
    found = {}
    for line in open(f'/proc/{pid}/status', encoding='utf-8'):
        if line.startswith(('VmRSS', 'RssAnon')):
            name, value = line.split(':')
            found[name] = int(value.split()[0])
    return found


def written(pid):
    for line in open(f'/proc/{pid}/io', encoding='utf-8'):
        if line.startswith('write_bytes'):
            return int(line.split()[1])
    return 0


def cpu_seconds(pid):
    fields = open(f'/proc/{pid}/stat', encoding='utf-8').read().rsplit(')', 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf('SC_CLK_TCK')


def start_times(rounds=7):
    times = []
    with Server() as server:
        for _ in range(rounds):
            server.stop()
            begin = time.monotonic()
            server.start()
            times.append((time.monotonic() - begin) * 1000)
    return statistics.median(times)


def main():
    figures = {'start_to_ready_ms_median': round(start_times(), 1)}
    with Server() as server:
        pid = server.process.pid
        time.sleep(3)
        figures['idle_rss_kib'] = memory(pid)['VmRSS']
        figures['idle_anon_kib'] = memory(pid)['RssAnon']
        writes, cpu = written(pid), cpu_seconds(pid)
        time.sleep(20)
        figures['idle_write_bytes_20_s'] = written(pid) - writes
        figures['idle_cpu_percent'] = round((cpu_seconds(pid) - cpu) / 20 * 100, 3)
        if shutil.which('go') is None:
            print('SKIP: load: no go on this machine', file=sys.stderr)
        else:
            server.tls()
            with tempfile.TemporaryDirectory() as directory:
                program = os.path.join(directory, 'load')
                subprocess.run(['go', 'build', '-o', program, '.'], cwd=os.path.join(HERE, 'load'), check=True)
                pem = {key: os.path.join(server.data_dir, f'{name}.pem') for key, name in
                       (('ca', 'certificate-authority-data'), ('cert', 'client-certificate-data'),
                        ('key', 'client-key-data'))}
                empty = memory(pid)['VmRSS']
                done = subprocess.run([program, '-server', f'https://127.0.0.1:{server.port}', '-n', '8000',
                                       *(part for key, path in pem.items() for part in (f'-{key}', path))],
                                      capture_output=True, text=True, check=True, timeout=110)
                figures.update({key: round(value, 1) for key, value in json.loads(done.stdout).items()})
                time.sleep(1)
                figures['rss_kib_with_10000_pods_above_empty'] = memory(pid)['VmRSS'] - empty
    for name, value in figures.items():
        better = 'more' if '_per_second_' in name else 'less'
        row(name.replace('_', ' '), 'as named', value, goal=GOALS.get(name), better=better)


if __name__ == '__main__':
    sys.exit(main())
