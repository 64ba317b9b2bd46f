#!/usr/bin/env python3
"""Random kills, scaling, rollouts and deletions against one node; at the end what is there is what was asked for, and after a
deletion nothing is left. ORCH_CHAOS_SECONDS (40) is how long; ORCH_CHAOS_SEED repeats a run (commands, not timing)."""
import os
import random
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from node import BUSYBOX, Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

NAMES = ('one', 'two', 'three')


def manifest(name, replicas):
    return f'''
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 1
      containers:
      - name: main
        image: {BUSYBOX}
        imagePullPolicy: IfNotPresent
        command: [/bin/sh, -c, 'trap exit TERM; while true; do sleep 1; done']
        env: [{{name: VERSION, value: "0"}}]
---
'''


class Chaos:
    def __init__(self, node, seed):
        self.node = node
        self.random = random.Random(seed)
        self.kubectl_path = newest_kubectl()
        self.replicas = {name: 2 for name in NAMES}
        self.version = 0
        self.done = []

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(self.kubectl_path, *arguments, **options)

    def kill_something(self):
        pids = self.node.processes()
        if pids:
            self.kill(self.random.choice(pids))

    def kill_shim(self):
        shims = list(self.node.shims().values())
        if shims:
            self.kill(self.random.choice(shims))

    @staticmethod
    def kill(pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass

    def kill_server(self):
        self.node.stop(signal.SIGKILL)
        self.node.start()

    def restart_server(self):
        self.node.stop(signal.SIGTERM)
        self.node.start()

    def scale(self):
        name = self.random.choice(NAMES)
        self.replicas[name] = self.random.randrange(0, 5)
        self.kubectl('scale', f'deployment/{name}', f'--replicas={self.replicas[name]}')

    def roll_out(self):
        self.version += 1
        self.kubectl('set', 'env', f'deployment/{self.random.choice(NAMES)}', f'VERSION={self.version}')

    def delete_pod(self):
        pods = (self.node.get('pods') or {'items': []})['items']
        if pods:
            name = self.random.choice(pods)['metadata']['name']
            self.kubectl('delete', 'pod', name, '--wait=false', '--ignore-not-found')

    def run(self, seconds):
        actions = (self.kill_something, self.kill_something, self.kill_shim, self.kill_server, self.restart_server, self.scale,
                   self.scale, self.roll_out, self.delete_pod)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            action = self.random.choice(actions)
            action()
            self.done.append(action.__name__)
            time.sleep(self.random.random())

    def settled(self):
        deployments = (self.node.get('deployments') or {'items': []})['items']
        pods = (self.node.get('pods') or {'items': []})['items']
        ready = [pod for pod in pods if any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', []))]
        wanted = sum(self.replicas.values())
        rolled = all(d['status'].get('updatedReplicas', 0) == d['spec']['replicas'] == self.replicas[d['metadata']['name']]
                     and d['status'].get('observedGeneration') == d['metadata']['generation'] for d in deployments)
        return len(deployments) == len(NAMES) and rolled and len(pods) == len(ready) == wanted == len(self.node.shims())


def main():
    why = why_not()
    if why or newest_kubectl() is None:
        print(f'SKIP: {why or "no kubectl"}')
        return 0
    seed = int(os.environ.get('ORCH_CHAOS_SEED', str(random.randrange(1 << 30))))
    print(f'seed {seed}')
    report = Report()
    with Node() as node:
        node.wait_ready()
        node.import_busybox()
        chaos = Chaos(node, seed)
        chaos.kubectl('apply', '-f', '-', stdin=''.join(manifest(name, 2) for name in NAMES))
        wait_for(chaos.settled, 'the beginning', 30)
        report.case('a while of it', chaos.run, float(os.environ.get('ORCH_CHAOS_SECONDS', '40')))
        # A container that was killed often waits up to five minutes (CrashLoopBackOff); a fresh pod does not.
        report.case('desired is observed', lambda: wait_for(chaos.settled, 'what was asked for', 330))
        chaos.kubectl('delete', 'deployments', '--all')
        report.case('nothing is left', lambda: wait_for(lambda: node.leftovers() == [], 'a clean node', 40))
        print(f'{len(chaos.done)} actions: {" ".join(chaos.done)}')
        if report.failed:
            print('\n'.join(node.leftovers()), chaos.kubectl('get', 'pods,deployments', '-o', 'wide').stdout, node.log())
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
