#!/usr/bin/env python3
"""A node's figures: start to Ready, apply to Ready for 1, 30 and 110 pods (image present), delete of 110, memory of orch
and of a shim with 50 pods."""
import json
import os
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, 'lib'))
sys.path.insert(0, os.path.join(HERE, '..', 'e2e', 'lib'))
from node import BUSYBOX, Node, newest_kubectl, why_not  # noqa: E402
from report import median, memory_kib, row, say  # noqa: E402


def pods(prefix, count, command='sleep 100000'):
    items = [{'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': f'{prefix}-{i}', 'labels': {'set': prefix}},
              'spec': {'terminationGracePeriodSeconds': 0,
                       'containers': [{'name': 'main', 'image': BUSYBOX, 'imagePullPolicy': 'IfNotPresent',
                                       'command': ['sh', '-c', command]}]}} for i in range(count)]
    return json.dumps({'apiVersion': 'v1', 'kind': 'List', 'items': items})


class Watcher:
    """Counts Ready pods of a label as a watch tells them, so that nothing polls while the clock runs."""

    def __init__(self, node, label):
        self.ready, self.gone = set(), set()
        self.changed = threading.Condition()
        environment = {**os.environ, 'KUBECONFIG': node.kubeconfig}
        self.process = subprocess.Popen(
            [*node.prefix(), node.binary, 'get', 'pods', '-l', f'set={label}', '-w', '--output-watch-events', '-o',
             'jsonpath={.type} {.object.metadata.name} {range .object.status.conditions[*]}{.type}={.status} {end}{"\\n"}'],
            stdout=subprocess.PIPE, text=True, env=environment)
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            words = line.split()
            with self.changed:
                if len(words) > 1 and words[0] == 'DELETED':
                    self.gone.add(words[1])
                elif len(words) > 1 and 'Ready=True' in words:
                    self.ready.add(words[1])
                self.changed.notify_all()

    def wait(self, which, count, timeout=100):
        with self.changed:
            if not self.changed.wait_for(lambda: len(getattr(self, which)) >= count, timeout):
                raise RuntimeError(f'{len(getattr(self, which))} of {count} pods are {which}')

    def stop(self):
        self.process.terminate()
        self.process.wait()


def apply_to_ready(node, prefix, count):
    watcher = Watcher(node, prefix)
    time.sleep(0.3)  # until the watch stands
    manifest = pods(prefix, count)
    begin = time.monotonic()
    node.orch('apply', '-f', '-', input=manifest)
    watcher.wait('ready', count)
    took = (time.monotonic() - begin) * 1000
    begin = time.monotonic()
    node.orch('delete', 'pods', '-l', f'set={prefix}', '--wait=false')
    watcher.wait('gone', count)
    deleted = (time.monotonic() - begin) * 1000
    watcher.stop()
    return took, deleted




def shim_memory(node):
    """Median PSS in KiB of the shims."""
    return median([memory_kib(pid).get('Pss', 0) for pid in node.shims().values()])


def main():
    why = why_not()
    if why or newest_kubectl() is None:
        say(f'SKIP: pods: {why or "no kubectl"}')
        return
    begin = time.monotonic()
    with Node() as node:
        ready = (time.monotonic() - begin) * 1000
        node.wait_ready()
        row('process start to API ready, first start with its keys', 'ms', ready, goal=200)
        row('process start to node Ready, first start, as kubectl sees it', 'ms', (time.monotonic() - begin) * 1000, goal=500)
        row('orch with its agent, idle', 'KiB RSS', memory_kib(node.process.pid)['VmRSS'], goal=30 * 1024)
        node.import_busybox()
        singles = [apply_to_ready(node, f'one{i}', 1)[0] for i in range(9)]
        row('apply to Ready, 1 pod', 'ms', median(singles), goal=60, samples=len(singles))
        took, _ = apply_to_ready(node, 'thirty', 30)
        row('apply to Ready, 30 pods', 'ms', took, goal=1000)
        took, deleted = apply_to_ready(node, 'full', 110)
        row('apply to Ready, 110 pods', 'ms', took, goal=4000)
        row('delete of 110 pods', 'ms', deleted)
        row('orch after 110 pods', 'KiB RSS', memory_kib(node.process.pid)['VmRSS'])
        watcher = Watcher(node, 'fifty')
        node.orch('apply', '-f', '-', input=pods('fifty', 50))
        watcher.wait('ready', 50)
        row('a pod\'s shim, of 50', 'KiB PSS', shim_memory(node), goal=150, samples=50)
        row('orch with 50 pods', 'KiB RSS', memory_kib(node.process.pid)['VmRSS'])
        watcher.stop()


if __name__ == '__main__':
    main()
