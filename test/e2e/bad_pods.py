#!/usr/bin/env python3
"""Pods that cannot run as they are: `kubectl describe` says what is wrong, in kubelet's words, and what is mended goes on."""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import BUSYBOX, Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

SLEEP = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def pod(name, fields, spec='', image=BUSYBOX):
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  terminationGracePeriodSeconds: 1
{spec}
  containers:
  - name: main
    image: {image}
    imagePullPolicy: IfNotPresent
{fields}
"""


RUNS = f'    command: [sh, -c, "{SLEEP}"]'


class BadPods:
    def __init__(self, node):
        self.node = node
        self.kubectl_path = newest_kubectl()

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(self.kubectl_path, *arguments, **options)

    def describe(self, name):
        return self.kubectl('describe', 'pod', name).stdout

    def phase(self, name):
        return self.node.get('pod', name)['status'].get('phase')

    def says(self, name, *texts, timeout=20):
        def all_there():
            described = self.describe(name)
            return all(text in described for text in texts)
        try:
            wait_for(all_there, f'{name} to say {texts}', timeout)
        except AssertionError as error:
            raise AssertionError(f'{error}\n{self.describe(name)}') from None

    def check(self, name, fields, *texts, spec='', image=BUSYBOX, keep=False):
        self.kubectl('apply', '-f', '-', stdin=pod(name, fields, spec, image))
        self.says(name, *texts)
        if not keep:
            self.kubectl('delete', 'pod', name, '--wait=true')

    def missing_image(self):
        self.check('noimage', RUNS, 'ErrImagePull', 'Failed to pull image "127.0.0.1:1/nothing:1"', image='127.0.0.1:1/nothing:1')

    def wrong_image_name(self):
        self.check('badname', RUNS, 'InvalidImageName', image='case/UPPER:1')

    def missing_config_map(self):
        fields = RUNS + '\n    env: [{name: A, valueFrom: {configMapKeyRef: {name: later, key: word}}}]'
        self.check('noconf', fields, 'CreateContainerConfigError', 'configmap "later" not found', keep=True)
        self.kubectl('create', 'configmap', 'later', '--from-literal=other=1')
        self.says('noconf', "couldn't find key word in ConfigMap default/later")
        self.kubectl('patch', 'configmap', 'later', '--type=merge', '-p', '{"data":{"word":"now"}}')
        wait_for(lambda: self.phase('noconf') == 'Running', 'it to run', 20)
        self.kubectl('delete', 'pod/noconf', 'configmap/later')

    def missing_secret(self):
        fields = RUNS + '\n    envFrom: [{secretRef: {name: nosecret}}]'
        self.check('nosecret', fields, 'CreateContainerConfigError', 'secret "nosecret" not found')

    def missing_volume_source(self):
        fields = RUNS + '\n    volumeMounts: [{name: conf, mountPath: /conf}]'
        self.check('novolume', fields, 'FailedMount', 'MountVolume.SetUp failed for volume "conf" : configmap "late" not found',
                   spec='  volumes: [{name: conf, configMap: {name: late}}]', keep=True)
        self.kubectl('create', 'configmap', 'late', '--from-literal=a=1')
        wait_for(lambda: self.phase('novolume') == 'Running', 'it to run', 20)
        self.kubectl('delete', 'pod/novolume', 'configmap/late')

    def wrong_host_path(self):
        fields = RUNS + '\n    volumeMounts: [{name: host, mountPath: /host}]'
        self.check('nohost', fields, 'FailedMount', 'hostPath type check failed: /nonexistent-directory is not a directory',
                   spec='  volumes: [{name: host, hostPath: {path: /nonexistent-directory, type: Directory}}]')

    def missing_command(self):
        self.check('nocommand', '    command: [nope]', 'StartError', 'exec: "nope": executable file not found in $PATH')

    def missing_account(self):
        done = self.kubectl('apply', '-f', '-', stdin=pod('noaccount', RUNS, '  serviceAccountName: nobody'), check=False)
        assert done.returncode != 0
        assert 'error looking up service account default/nobody: serviceaccount "nobody" not found' in done.stderr, done.stderr

    def root_where_forbidden(self):
        self.check('noroot', RUNS, 'CreateContainerConfigError', 'container has runAsNonRoot and image will run as root',
                   spec='  securityContext: {runAsNonRoot: true}')

    def crashing(self):
        self.check('crash', '    command: [sh, -c, "exit 3"]', 'CrashLoopBackOff', 'Exit Code:    3', 'Back-off restarting failed container main')

    def probe_that_never_passes(self):
        fields = RUNS + '\n    readinessProbe: {httpGet: {port: 8080}, periodSeconds: 1}'
        self.check('unready', fields, 'Readiness probe failed: Get "http://', 'connect: connection refused', keep=True)
        assert self.phase('unready') == 'Running'
        self.kubectl('delete', 'pod', 'unready')

    def startup_that_never_ends(self):
        fields = RUNS + '\n    startupProbe: {tcpSocket: {port: 8080}, periodSeconds: 1, failureThreshold: 2}'
        self.check('unstarted', fields, 'Startup probe failed: dial tcp', 'Container main failed startup probe, will be restarted')

    def grpc_probe_without_server(self):
        fields = RUNS + '\n    livenessProbe: {grpc: {port: 9090}, periodSeconds: 1, failureThreshold: 100}'
        self.check('nogrpc', fields, 'Liveness probe failed: error: failed to connect service at')

    def failing_hook(self):
        fields = RUNS + '\n    lifecycle: {postStart: {exec: {command: [sh, -c, "echo no luck; exit 4"]}}}'
        self.check('nohook', fields, 'FailedPostStartHook', "exited with 4: no luck")

    def host_port_taken(self):
        fields = RUNS + '\n    ports: [{containerPort: 80, hostPort: 18080}]'
        spec = '  nodeName: node-1'
        self.kubectl('apply', '-f', '-', stdin=pod('first', fields, spec))
        wait_for(lambda: self.phase('first') == 'Running', 'the first to run', 20)
        self.kubectl('apply', '-f', '-', stdin=pod('second', fields, spec))
        self.says('second', 'NodePorts')
        self.kubectl('delete', 'pod', 'first', 'second')

    def unschedulable(self):
        self.check('toobig', RUNS + '\n    resources: {requests: {cpu: "9999"}}', 'FailedScheduling', 'Insufficient cpu')

    def nothing_left(self):
        wait_for(lambda: self.node.leftovers() == [], 'nothing to be left', 15)


def main():
    reason = why_not()
    if reason:
        print(f'SKIP: {reason}')
        return 0
    report = Report()
    with Node() as node:
        node.wait_ready()
        node.import_busybox()
        bad = BadPods(node)
        for name in ('missing_image', 'wrong_image_name', 'missing_config_map', 'missing_secret', 'missing_volume_source',
                     'wrong_host_path', 'missing_command', 'missing_account', 'root_where_forbidden', 'crashing', 'probe_that_never_passes',
                     'startup_that_never_ends', 'grpc_probe_without_server', 'failing_hook', 'host_port_taken', 'unschedulable',
                     'nothing_left'):
            report.case(name.replace('_', ' '), getattr(bad, name))
        if report.failed:
            print(node.log()[-8000:])
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
