#!/usr/bin/env python3
"""Every real kubectl on the machine against one server: the verbs of a user's day, as a table."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import ROOT, Report, Server, kubectls  # noqa: E402

SEED = os.path.join(ROOT, '..', 'shared', 'fixtures', 'seed')

POD = '''apiVersion: v1
kind: Pod
metadata: {name: NAME, labels: {app: NAME}}
spec:
  containers: [{name: main, image: busybox, ports: [{containerPort: 80}]}]
'''
DEPLOYMENT = '''apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "nginx:1"}]
'''


class Kubectl:
    def __init__(self, server, path, namespace):
        self.server, self.path, self.namespace = server, path, namespace

    def __call__(self, *arguments, **options):
        return self.server.kubectl(self.path, '-n', self.namespace, *arguments, **options).stdout

    def fails(self, *arguments, **options):
        done = self.server.kubectl(self.path, '-n', self.namespace, *arguments, check=False, **options)
        assert done.returncode != 0, f'{arguments} should have failed: {done.stdout}'
        return done.stderr

    def json(self, *arguments):
        return json.loads(self('get', *arguments, '-o', 'json'))


def expect(text, *parts):
    for part in parts:
        assert part in text, f'{part!r} not in {text!r}'


def version_and_discovery(k):
    expect(k('version', '-o', 'json'), 'serverVersion', 'v1.33')
    expect(k('api-versions'), 'apps/v1', 'v1\n')
    expect(k('api-resources'), 'deployments', 'deploy', 'StorageClass')


def create_get_delete(k):
    expect(k('create', '-f', '-', stdin=POD.replace('NAME', 'one')), 'pod/one created')
    expect(k('get', 'pods'), 'NAME', 'READY', 'STATUS', 'one', '0/1', 'Pending')
    expect(k('get', 'pod', 'one', '-o', 'wide'), 'NODE', 'NOMINATED NODE')
    expect(k('get', 'po/one', '-o', 'jsonpath={.spec.containers[0].terminationMessagePath}'), '/dev/termination-log')
    expect(k('get', 'pods', '-o', 'name'), 'pod/one')
    expect(k('describe', 'pod', 'one'), 'Name:', 'one', 'busybox')
    expect(k.fails('create', '-f', '-', stdin=POD.replace('NAME', 'one')), 'AlreadyExists')
    expect(k('delete', 'pod', 'one'), 'pod "one"', 'deleted')
    expect(k.fails('get', 'pod', 'one'), 'NotFound', 'pods "one" not found')


def apply_and_diff(k):
    expect(k('apply', '-f', '-', stdin=DEPLOYMENT), 'deployment.apps/web created')
    assert k('diff', '-f', '-', stdin=DEPLOYMENT) == ''
    expect(k('apply', '-f', '-', stdin=DEPLOYMENT), 'unchanged')
    changed = DEPLOYMENT.replace('nginx:1', 'nginx:2')
    assert k.server.kubectl(k.path, '-n', k.namespace, 'diff', '-f', '-', stdin=changed, check=False).returncode == 1
    expect(k('apply', '-f', '-', stdin=changed), 'configured')
    assert k.json('deploy', 'web')['spec']['template']['spec']['containers'][0]['image'] == 'nginx:2'
    assert k.json('deploy', 'web')['metadata']['generation'] == 2


def label_annotate_patch(k):
    k('create', 'configmap', 'cm', '--from-literal=a=1')
    expect(k('label', 'cm', 'cm', 'tier=x'), 'labeled')
    expect(k('get', 'cm', '-l', 'tier=x', '-o', 'name'), 'configmap/cm')
    expect(k('annotate', 'cm', 'cm', 'note=y'), 'annotate')
    expect(k('patch', 'cm', 'cm', '--type', 'merge', '-p', '{"data":{"b":"2"}}'), 'patched')
    expect(k('patch', 'cm', 'cm', '--type', 'json', '-p', '[{"op":"remove","path":"/data/a"}]'), 'patched')
    assert k.json('cm', 'cm')['data'] == {'b': '2'}
    expect(k('delete', 'cm', 'cm'), 'deleted')


def scale_and_rollout(k):
    k('apply', '-f', '-', stdin=DEPLOYMENT)
    expect(k('scale', 'deploy/web', '--replicas=4'), 'scaled')
    assert k.json('deploy', 'web')['spec']['replicas'] == 4
    expect(k('set', 'image', 'deploy/web', 'main=nginx:9'), 'image updated')
    expect(k('rollout', 'pause', 'deploy/web'), 'paused')
    expect(k('rollout', 'resume', 'deploy/web'), 'resumed')
    expect(k('rollout', 'restart', 'deploy/web'), 'restarted')


def expose_and_services(k):
    expect(k('expose', 'deploy', 'web', '--port=80'), 'service/web exposed')
    service = k.json('svc', 'web')['spec']
    assert service['clusterIP'].startswith('10.43.'), service
    assert service['clusterIPs'] == [service['clusterIP']]
    k('patch', 'svc', 'web', '-p', '{"spec":{"type":"NodePort"}}')
    assert 30000 <= k.json('svc', 'web')['spec']['ports'][0]['nodePort'] <= 32767
    expect(k('get', 'svc', 'web'), 'NodePort', '80:')


def namespaces(k):
    name = k.namespace + '-extra'
    expect(k('create', 'namespace', name), 'created')
    expect(k('get', 'ns', name), 'Active')
    expect(k('delete', 'ns', name, '--wait=false'), 'deleted')


def nodes(k):
    node = {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {'name': k.namespace}}
    k('create', '-f', '-', stdin=json.dumps(node))
    expect(k('cordon', k.namespace), 'cordoned')
    expect(k('get', 'node', k.namespace), 'SchedulingDisabled')
    expect(k('uncordon', k.namespace), 'uncordoned')
    expect(k('taint', 'node', k.namespace, 'a=b:NoSchedule'), 'tainted')
    expect(k('delete', 'node', k.namespace), 'deleted')


def selectors_and_output(k):
    for name in ('a', 'b', 'c'):
        k('create', 'configmap', name)
    assert k('get', 'cm', '--field-selector', 'metadata.name=b', '-o', 'name').split() == ['configmap/b']
    names = k('get', 'cm', '-o', 'custom-columns=N:.metadata.name', '--no-headers').split()
    assert [n for n in names if n in 'abc'] == ['a', 'b', 'c'], names
    expect(k('get', 'cm', '-A'), 'NAMESPACE', k.namespace)
    assert len(k('get', 'cm', '--chunk-size=2', '-o', 'name').split()) >= 3


def explain(k):
    expect(k('explain', 'deployment.spec.strategy'), 'rollingUpdate', 'type')
    expect(k('explain', 'pods'), 'KIND:', 'Pod', 'spec')


def dry_run_and_validation(k):
    expect(k('create', 'configmap', 'dry', '--dry-run=server'), 'dry')
    expect(k.fails('get', 'cm', 'dry'), 'NotFound')
    bad = DEPLOYMENT.replace('replicas: 2', 'replicaz: 2').replace('name: web', 'name: typo')
    expect(k.fails('create', '-f', '-', stdin=bad), 'replicaz')
    wrong = DEPLOYMENT.replace('replicas: 2', 'replicas: many').replace('name: web', 'name: typo')
    expect(k.fails('create', '-f', '-', stdin=wrong), 'replicas')


def wait_and_watch(k):
    k('create', 'configmap', 'gone')
    expect(k('delete', 'cm', 'gone', '--wait=true', '--timeout=10s'), 'deleted')
    k('create', '-f', '-', stdin=POD.replace('NAME', 'watched'))
    expect(k('get', 'pod', 'watched', '-w', '--request-timeout=2s', check=False), 'watched')


def events_and_cluster_info(k):
    expect(k('cluster-info'), 'control plane')
    k('get', 'events')
    expect(k('auth', 'can-i', '--list', check=False) + 'x', 'x')


def replace_and_edit(k):
    k('create', 'configmap', 'rep', '--from-literal=a=1')
    stored = k.json('cm', 'rep')
    stored['data'] = {'a': '2'}
    expect(k('replace', '-f', '-', stdin=json.dumps(stored)), 'replaced')
    expect(k.fails('replace', '-f', '-', stdin=json.dumps(stored)), 'the object has been modified')


CASES = [version_and_discovery, create_get_delete, apply_and_diff, label_annotate_patch, scale_and_rollout,
         expose_and_services, namespaces, nodes, selectors_and_output, explain, dry_run_and_validation,
         wait_and_watch, events_and_cluster_info, replace_and_edit]


def seed_file(k, path, served):
    if not served:
        expect(k.fails('apply', '-f', path), 'no matches for kind')
        return
    expect(k('apply', '-f', path), 'created')
    assert k('diff', '-f', path) == ''
    k('delete', '-f', path, '--wait=false')


def main():
    report = Report()
    binaries = kubectls()
    if not binaries:
        report.skip('kubectl', 'none on this machine')
        return report.finish()
    with Server() as server:
        for version, path in binaries:
            namespace = 'v' + version.replace('.', '-')
            server.kubectl(path, 'create', 'namespace', namespace)
            k = Kubectl(server, path, namespace)
            for case in CASES:
                report.case(f'kubectl {version}: {case.__name__}', case, k)
            for name in sorted(os.listdir(SEED)) if os.path.isdir(SEED) else []:
                served = name != 'cluster-autoscaler.yaml'  # a kind of somebody's operator
                report.case(f'kubectl {version}: {name}', seed_file, k, os.path.join(SEED, name), served)
        report.case('exits 0 on SIGTERM', lambda: expect(str(server.stop()), '0'))
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
