#!/usr/bin/env python3
"""What dies and comes back: containers, shims, the server, the machine. Desired equals observed afterwards, nothing is orphaned."""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import BUSYBOX, Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

POD = f"""
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: 2
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 2
      containers:
      - name: main
        image: {BUSYBOX}
        imagePullPolicy: IfNotPresent
        command: [/bin/sh, -c, 'echo begin; while true; do sleep 0.2; done']
"""


class Survival:
    def __init__(self, node):
        self.node = node
        self.kubectl_path = newest_kubectl()

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(self.kubectl_path, *arguments, **options)

    def statuses(self):
        """{pod name: (container id, restarts, ready)}"""
        found = {}
        for pod in (self.node.get('pods') or {'items': []})['items']:
            if 'deletionTimestamp' in pod['metadata']:
                continue
            status = (pod['status'].get('containerStatuses') or [{}])[0]
            found[pod['metadata']['name']] = (status.get('containerID', ''), status.get('restartCount', 0), status.get('ready', False))
        return found

    def all_ready(self, count=2):
        statuses = self.statuses()
        return len(statuses) == count and all(ready for _, _, ready in statuses.values()) and statuses

    def start(self):
        self.node.import_busybox()
        self.kubectl('apply', '-f', '-', stdin=POD)
        wait_for(self.all_ready, 'two pods', 30)

    def pids_of(self, container_id):
        """Processes of a container, by its cgroup."""
        pids = []
        name = container_id.removeprefix('orch://')
        for directory, _, files in os.walk(self.node.cgroup):
            if os.path.basename(directory) == name and 'cgroup.procs' in files:
                with open(os.path.join(directory, 'cgroup.procs'), encoding='utf-8') as file:
                    pids += [int(line) for line in file.read().split()]
        # The first process of the container's pid namespace first: numbers wrap around, so the lowest may be any.
        return sorted(pids, key=lambda pid: (not self.is_first(pid), pid))

    @staticmethod
    def is_first(pid):
        try:
            with open(f'/proc/{pid}/status', encoding='utf-8') as file:
                return any(line.startswith('NSpid:') and line.split()[-1] == '1' for line in file)
        except OSError:
            return False

    def kill_container(self):
        before = self.all_ready()
        name, (container, restarts, _) = sorted(before.items())[0]
        os.kill(self.pids_of(container)[0], signal.SIGKILL)
        wait_for(lambda: self.statuses()[name][1] == restarts + 1 and self.statuses()[name][2], 'a counted restart', 30)
        assert self.statuses()[name][0] != container
        assert self.kubectl('logs', '--previous', name).stdout == 'begin\n'
        last = self.node.get('pod', name)['status']['containerStatuses'][0]['lastState']['terminated']
        assert last['exitCode'] == 137, last

    def kill_shim(self):
        before = self.all_ready()
        uids = {pod['metadata']['uid']: pod['metadata']['name'] for pod in self.node.get('pods')['items']}
        uid, pid = sorted(self.node.shims().items())[0]
        os.kill(pid, signal.SIGKILL)
        name = uids[uid]
        wait_for(lambda: self.statuses()[name][1] == before[name][1] + 1 and self.statuses()[name][2], 'the pod again', 40)
        assert self.node.shims()[uid] != pid

    def unchanged(self, how):
        before = self.all_ready()
        processes = {container: self.pids_of(container) for container, _, _ in before.values()}
        self.node.stop(how)
        time.sleep(0.5)
        for container, pids in processes.items():
            for pid in pids[:1]:
                os.kill(pid, 0)  # lives
        self.node.start()
        wait_for(lambda: self.all_ready(), 'the API again', 30)
        time.sleep(2)
        assert self.statuses() == before, (before, self.statuses())
        name = sorted(before)[0]
        assert self.kubectl('logs', name).stdout == 'begin\n'
        assert self.kubectl('exec', name, '--', 'echo', 'here').stdout == 'here\n'

    def kill_server(self):
        self.unchanged(signal.SIGKILL)

    def terminate_server(self):
        self.unchanged(signal.SIGTERM)

    def dies_while_the_server_is_away(self):
        before = self.all_ready()
        name, (container, restarts, _) = sorted(before.items())[0]
        pid = self.pids_of(container)[0]
        self.node.stop(signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        time.sleep(0.5)
        self.node.start()
        wait_for(lambda: self.statuses().get(name, ('', 0, False))[1] == restarts + 1 and self.statuses()[name][2], 'one restart', 30)

    def reboot(self):
        before = self.all_ready()
        self.node.reboot()
        self.node.start()
        wait_for(lambda: self.all_ready() and all(s[1] == before[n][1] + 1 for n, s in self.statuses().items()), 'the pods again', 40)

    def delete(self):
        self.kubectl('delete', 'deployment', 'web')
        wait_for(lambda: self.node.get('pods')['items'] == [], 'the end of the pods', 30)
        wait_for(lambda: self.node.leftovers() == [], 'nothing to be left', 10)


def main():
    reason = why_not()
    if reason:
        print(f'SKIP: {reason}')
        return 0
    report = Report()
    with Node() as node:
        node.wait_ready()
        test = Survival(node)
        for name in ('start', 'kill_container', 'kill_shim', 'kill_server', 'terminate_server', 'dies_while_the_server_is_away',
                     'reboot', 'delete'):
            report.case(name.replace('_', ' '), getattr(test, name))
        if report.failed:
            print(node.log())
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
