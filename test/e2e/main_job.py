#!/usr/bin/env python3
"""The main job by hand, with a real kubectl: a manifest becomes containers that run, answer, scale, roll and go away."""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
MANIFEST = os.path.join(ROOT, 'manifests', 'quickstart.yaml')


class MainJob:
    def __init__(self, node):
        self.node = node
        self.kubectl_path = newest_kubectl()

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(self.kubectl_path, *arguments, **options)

    def pods(self):
        return [pod for pod in self.node.get('pods')['items'] if 'deletionTimestamp' not in pod['metadata']]

    def ready(self):
        return sum(1 for pod in self.pods()
                   if any(c['type'] == 'Ready' and c['status'] == 'True' for c in pod['status'].get('conditions', [])))

    def pod_name(self):
        return self.pods()[0]['metadata']['name']

    def apply(self):
        self.node.import_busybox()
        begun = time.monotonic()
        self.kubectl('apply', '-f', MANIFEST)
        self.kubectl('rollout', 'status', 'deployment/hello', '--timeout=60s')
        print(f'    3 pods Ready after {time.monotonic() - begun:.2f} s (kubectl included)')
        assert self.ready() == 3
        addresses = {pod['status']['podIP'] for pod in self.pods()}
        assert len(addresses) == 3, addresses
        wide = self.kubectl('get', 'nodes,deploy,rs,pods', '-o', 'wide').stdout
        assert '3/3' in wide and ' Ready ' in wide, wide

    def answers(self):
        for pod in self.pods():
            text = self.node.run(['curl', '-sS', '--max-time', '5', f'http://{pod["status"]["podIP"]}:8080/']).stdout
            assert text == 'Hello from orch\n', text

    def service(self):
        address = self.kubectl('get', 'service', 'hello', '-o', 'jsonpath={.spec.clusterIP}').stdout
        text = self.node.run(['curl', '-sS', '--max-time', '5', f'http://{address}/']).stdout
        assert text == 'Hello from orch\n', text

    def logs(self):
        name = self.pod_name()
        text = self.kubectl('logs', name).stdout
        assert text.startswith(f'Hello from orch, this is {name}\n'), text
        assert 'Hello from orch' in self.kubectl('logs', 'deploy/hello').stdout

    def exec(self):
        name = self.pod_name()
        assert self.kubectl('exec', name, '--', 'sh', '-c', 'echo $PASSWORD').stdout == 'correct horse battery staple\n'
        assert self.kubectl('exec', '-i', name, '--', 'cat', stdin='through it\n').stdout == 'through it\n'
        failed = self.kubectl('exec', name, '--', 'sh', '-c', 'exit 7', check=False)
        assert failed.returncode == 7, failed

    def describe(self):
        text = self.kubectl('describe', 'pod', self.pod_name()).stdout
        for line in ('Started container web', 'Created container: web', 'already present on machine'):
            assert line in text, text

    def describe_node(self):
        # Ages and the lease's time go on between two calls: once they fall together is enough.
        def same():
            theirs = self.kubectl('describe', 'node', 'node-1').stdout
            return theirs == self.node.orch('describe', 'node', 'node-1').stdout and 'Allocated resources:' in theirs
        wait_for(same, 'orch to describe the node as kubectl does', 15)

    def scale(self):
        self.kubectl('scale', 'deploy/hello', '--replicas=5')
        wait_for(lambda: self.ready() == 5, 'five pods')
        self.kubectl('scale', 'deploy/hello', '--replicas=2')
        wait_for(lambda: len(self.node.get('pods')['items']) == 2, 'two pods', 30)

    def rollout(self):
        self.kubectl('set', 'env', 'deploy/hello', 'GREETING=Good day')
        self.kubectl('rollout', 'status', 'deploy/hello', '--timeout=60s')
        wait_for(lambda: all('Good day' in self.kubectl('logs', pod['metadata']['name']).stdout for pod in self.pods()), 'the new greeting')
        self.kubectl('rollout', 'undo', 'deploy/hello')
        self.kubectl('rollout', 'status', 'deploy/hello', '--timeout=60s')

    def live_config(self):
        name = self.pod_name()
        self.kubectl('patch', 'configmap', 'hello', '--type=merge', '-p', '{"data":{"index.html":"changed\\n"}}')
        wait_for(lambda: self.kubectl('exec', name, '--', 'cat', '/var/www/index.html').stdout == 'changed\n', 'the new page', 30)

    def missing_image(self):
        self.kubectl('run', 'nowhere', '--image=localhost:1/nothing:1', '--restart=Never')
        wait_for(lambda: 'ImagePull' in self.kubectl('get', 'pod', 'nowhere').stdout, 'ErrImagePull', 30)
        assert 'Failed to pull image "localhost:1/nothing:1"' in self.kubectl('describe', 'pod', 'nowhere').stdout
        self.kubectl('delete', 'pod', 'nowhere', '--wait=true')

    def job(self):
        self.kubectl('run', 'once', '--image=docker.io/library/busybox:latest', '--image-pull-policy=IfNotPresent',
                     '--restart=Never', '--', 'sh', '-c', 'echo done; exit 3')
        wait_for(lambda: self.node.get('pod', 'once')['status']['phase'] == 'Failed', 'the end of the job')
        state = self.node.get('pod', 'once')['status']['containerStatuses'][0]['state']['terminated']
        assert state['exitCode'] == 3 and state['reason'] == 'Error', state
        assert self.kubectl('logs', 'once').stdout == 'done\n'
        self.kubectl('delete', 'pod', 'once')

    def no_command(self):
        self.kubectl('run', 'nope', '--image=docker.io/library/busybox:latest', '--image-pull-policy=IfNotPresent', '--command', '--', 'nope')
        wait_for(lambda: 'executable file not found' in self.kubectl('describe', 'pod', 'nope').stdout, 'the reason', 20)
        self.kubectl('delete', 'pod', 'nope')

    def delete(self):
        self.kubectl('delete', '-f', MANIFEST, '--wait=true')
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
        job = MainJob(node)
        for name in ('apply', 'answers', 'service', 'logs', 'exec', 'describe', 'describe_node', 'scale', 'rollout', 'live_config', 'missing_image',
                     'job', 'no_command', 'delete'):
            report.case(name.replace('_', ' '), getattr(job, name))
        if report.failed:
            print(node.log())
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
