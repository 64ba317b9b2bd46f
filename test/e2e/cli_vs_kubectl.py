#!/usr/bin/env python3
"""orch's own verbs beside the newest kubectl: the same commands against two fresh servers, the same output and
exit code. Ages, uids, times and versions are masked."""
import os
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import Report, Server, kubectls  # noqa: E402

DEPLOYMENT = '''apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {app: web}}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      containers: [{name: main, image: "nginx:1", ports: [{containerPort: 80}]}]
'''
TWO = '''apiVersion: v1
kind: ConfigMap
metadata: {name: one, labels: {set: a}}
data: {a: "<1>", b: "2"}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: two, labels: {set: a, more: x}}
data: {c: "3"}
'''
POD = '''apiVersion: v1
kind: Pod
metadata: {name: p1, labels: {app: p}}
spec:
  containers: [{name: main, image: busybox, env: [{name: A, value: b}]}]
'''
NODE = '''apiVersion: v1
kind: Node
metadata: {name: n1, labels: {zone: z}}
'''

# (words, standard input); what follows sees what came before.
STEPS = [
    ('get pods', None),
    ('get ns', None),
    ('get ns -o name', None),
    ('get ns --show-labels', None),
    ('get nothing', None),
    ('get pod nope', None),
    ('get pod nope --ignore-not-found', None),
    ('apply -f -', DEPLOYMENT),
    ('apply -f -', DEPLOYMENT),
    ('apply -f -', DEPLOYMENT.replace('nginx:1', 'nginx:2')),
    ('apply -f - --dry-run=server', DEPLOYMENT),
    ('apply -f - -o name', DEPLOYMENT),
    ('apply -f -', TWO),
    ('apply -f -', TWO.replace('"2"', '"x"')),
    ('get cm', None),
    ('get cm -l set=a', None),
    ('get cm -l set=a -L set,more', None),
    ('get cm one two', None),
    ('get cm one two nope', None),
    ('get cm/one deploy/web', None),
    ('get deploy,cm -l app=web', None),
    ('get deploy web -o wide', None),
    ('get deploy -A', None),
    ('get deploy web -o json', None),
    ('get deploy web -o yaml', None),
    ('get cm one two -o yaml', None),
    ('get cm -o jsonpath={.items[*].metadata.name}', None),
    ('get cm one -o jsonpath={.data}', None),
    ('get cm -o custom-columns=NAME:.metadata.name,A:.data.a', None),
    ('get cm --sort-by=.metadata.name --no-headers', None),
    ('get cm --field-selector metadata.name=one', None),
    ('create -f -', TWO),
    ('create -f -', POD),
    ('get pod p1 -o wide', None),
    ('create cm lit --from-literal=a=1 --from-literal=b=x=y', None),
    ('create cm lit2 --from-literal=a=1 --dry-run=client -o yaml', None),
    ('create secret generic s --from-literal=k=v -o yaml --dry-run=client', None),
    ('create deployment d --image=reg/nginx:1 --replicas=2 --port=80 --dry-run=client -o yaml', None),
    ('create ns other', None),
    ('create ns other', None),
    ('create sa robot', None),
    ('label cm one color=red', None),
    ('label cm one color=red', None),
    ('label cm one color=blue', None),
    ('label cm one color=blue --overwrite', None),
    ('label cm one color-', None),
    ('label cm one nope-', None),
    ('label cm one --list', None),
    ('annotate cm one note=hello', None),
    ('annotate cm one note-', None),
    ('annotate cm nope note=x', None),
    ('patch cm one -p {"data":{"z":"9"}}', None),
    ('patch cm one -p {"data":{"z":"9"}}', None),
    ('patch cm one --type=json -p [{"op":"remove","path":"/data/z"}]', None),
    ('patch cm one --type=merge -p {"data":{"y":null}}', None),
    ('scale deploy web --replicas=5', None),
    ('scale deploy web --replicas=1 --current-replicas=4', None),
    ('get deploy web -o jsonpath={.spec.replicas}', None),
    ('rollout pause deploy/web', None),
    ('rollout pause deploy/web', None),
    ('rollout resume deploy/web', None),
    ('rollout restart deploy/web', None),
    ('create -f -', NODE),
    ('cordon n1', None),
    ('cordon n1', None),
    ('uncordon n1', None),
    ('taint nodes n1 k=v:NoSchedule', None),
    ('taint nodes n1 k=v:NoSchedule', None),
    ('taint nodes n1 k:NoSchedule-', None),
    ('taint nodes n1 k-', None),
    ('wait cm/one --for=jsonpath={.data.b}=x --timeout=5s', None),
    ('wait deploy/web --for=condition=Available --timeout=1s', None),
    ('config current-context', None),
    ('config get-contexts', None),
    ('api-versions', None),
    ('api-resources', None),
    ('api-resources -o wide', None),
    ('api-resources --namespaced=false -o name', None),
    ('replace -f -', TWO),
    ('delete cm one two --wait=true', None),
    ('delete cm one', None),
    ('delete cm one --ignore-not-found', None),
    ('delete pod p1 --force', None),
    ('delete deploy --all', None),
    ('delete cm -l set=a', None),
]

# What differs on purpose.
MASKS = [
    (r'kubectl', 'orch'),
    (r'\b\d+(s|m\d*s?|h\d*m?)\b', 'AGE'),
    (r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z', 'TIME'),
    (r'[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}', 'UID'),
    (r'resourceVersion(": |: )"\d+"', 'resourceVersion'),
    (r'127\.0\.0\.1:\d+', 'SERVER'),
    (r'/tmp/\S+', 'FILE'),
    (r' \(document \d+, line \d+\)', ''),  # ours says which one
]


def mask(text):
    for pattern, replacement in MASKS:
        text = re.sub(pattern, replacement, text)
    return text


def compare(ours, theirs):
    assert mask(ours.stdout) == mask(theirs.stdout), f'orch:\n{ours.stdout}\nkubectl:\n{theirs.stdout}'
    assert (ours.returncode == 0) == (theirs.returncode == 0), \
        f'exit {ours.returncode}, kubectl {theirs.returncode}: {ours.stderr}{theirs.stderr}'
    assert mask(ours.stderr) == mask(theirs.stderr), f'orch:\n{ours.stderr}\nkubectl:\n{theirs.stderr}'


def expect_failure(server, binary, words, code, part, stdin=None, files=None):
    with tempfile.TemporaryDirectory() as folder:
        for name, text in (files or {}).items():
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)
        words = [word.replace('DIR', folder) for word in words]
        done = server.kubectl(binary, *words, stdin=stdin, check=False)
    assert done.returncode == code, f'exit {done.returncode}: {done.stderr}'
    assert part in done.stderr, done.stderr


def substitute(server, binary):
    os.environ['ORCH_TEST_COLOR'] = 'green'
    text = TWO.replace('"3"', '"${ORCH_TEST_COLOR}"')
    server.kubectl(binary, 'apply', '--substitute', '-f', '-', stdin=text)
    done = server.kubectl(binary, 'get', 'cm', 'two', '-o', 'jsonpath={.data.c}')
    assert done.stdout == 'green', done.stdout
    expect_failure(server, binary, ['apply', '--substitute', '-f', 'DIR/m.yaml'], 1,
                   'm.yaml:9: the environment variable ORCH_TEST_UNSET is not set',
                   files={'m.yaml': TWO.replace('"3"', '${ORCH_TEST_UNSET}')})


def directories(server, binary):
    with tempfile.TemporaryDirectory() as folder:
        os.mkdir(os.path.join(folder, 'below'))
        for name, text in (('a.yaml', TWO), ('below/b.yml', POD), ('c.txt', 'no manifest')):
            with open(os.path.join(folder, name), 'w', encoding='utf-8') as file:
                file.write(text)
        done = server.kubectl(binary, 'apply', '-f', folder)
        assert 'pod/p1' not in done.stdout, done.stdout
        done = server.kubectl(binary, 'apply', '-R', '-f', folder)
        assert 'pod/p1 created' in done.stdout and 'configmap/one unchanged' in done.stdout, done.stdout


def in_turn(server, binary, kubectl):
    """Both apply to the same object: what the other one applied is known."""
    server.kubectl(kubectl, 'apply', '-f', '-', stdin=DEPLOYMENT)
    done = server.kubectl(binary, 'apply', '-f', '-', stdin=DEPLOYMENT)
    assert 'unchanged' in done.stdout, done.stdout
    changed = DEPLOYMENT.replace(', labels: {app: web}}\nspec', '}\nspec').replace('nginx:1', 'nginx:3')
    done = server.kubectl(binary, 'apply', '-f', '-', stdin=changed)
    assert 'configured' in done.stdout, done.stdout
    assert server.kubectl(kubectl, 'diff', '-f', '-', stdin=changed).stdout == ''
    done = server.kubectl(kubectl, 'apply', '-f', '-', stdin=changed)
    assert 'unchanged' in done.stdout, done.stdout
    done = server.kubectl(kubectl, 'get', 'deploy', 'web', '-o', 'jsonpath={.metadata.labels}')
    assert done.stdout == '', done.stdout


def own_errors(server, binary):
    expect_failure(server, binary, ['get', '--nonsense'], 2, 'unknown flag: --nonsense')
    expect_failure(server, binary, ['nonsense'], 2, 'unknown command "nonsense"')
    expect_failure(server, binary, ['apply', '-f', 'DIR/nope.yaml'], 1, 'does not exist')
    expect_failure(server, binary, ['apply', '-f', 'DIR/m.yaml'], 1, '(document 2, line',
                   files={'m.yaml': POD + '---\nkind: Pod\n'})
    expect_failure(server, binary, ['apply', '-f', 'DIR/m.yaml'], 1, 'unknown field "spec.containerz"',
                   files={'m.yaml': POD.replace('containers', 'containerz').replace('p1', 'p9')})
    expect_failure(server, binary, ['get', 'ns', '--server', 'https://127.0.0.1:1'], 1, 'was refused')


def texts(server, binary):
    for words, part in ((['describe', 'pod', 'p1'], 'Name:'), (['describe', 'deploy', 'web'], 'StrategyType:'),
                        (['describe', 'svc', 'kubernetes'], 'Session Affinity:'),
                        (['describe', 'cm', 'one'], 'Data:'), (['explain', 'pod.spec.containers'], 'image'),
                        (['completion', 'bash'], 'complete'), (['version'], 'Server Version'),
                        (['cluster-info'], 'control plane is running'), (['--help'], 'Verbs:')):
        done = server.kubectl(binary, *words)
        assert part in done.stdout, done.stdout


def main():
    report = Report()
    binaries = kubectls()
    if not binaries:
        report.skip('cli_vs_kubectl', 'no kubectl on this machine')
        return report.finish()
    kubectl = sorted(binaries, key=lambda pair: [int(part) for part in re.findall(r'\d+', pair[0])])[-1][1]
    binary = os.environ.get('ORCH_CLI_BIN')
    with Server() as ours, Server() as theirs:
        binary = binary or ours.binary
        for words, stdin in STEPS:
            arguments = words.split(' ')
            report.case(words, lambda a=arguments, i=stdin: compare(
                ours.kubectl(binary, *a, stdin=i, check=False), theirs.kubectl(kubectl, *a, stdin=i, check=False)))
        report.case('--substitute', substitute, ours, binary)
        report.case('directories', directories, ours, binary)
        report.case('apply in turn with kubectl', in_turn, ours, binary, kubectl)
        report.case('errors', own_errors, ours, binary)
        report.case('texts', texts, ours, binary)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
