#!/usr/bin/env python3
"""Streams between kubectl and real containers, for the oldest, some middle and the newest kubectl, and orch's own verbs:
logs over rotations and restarts, exec with terminals and their size, attach, cp, port-forward to what listens on the
pod's loopback only, top."""
import hashlib
import os
import re
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import Node, Report, kubectls, wait_for, why_not  # noqa: E402

LINES = 400000
PODS = f'''apiVersion: v1
kind: Pod
metadata: {{name: box}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    stdin: true
    command: [sh, -c, 'echo started; while read x; do echo got $x; done; sleep 1000']
  - name: web
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'echo page > /var/www/f; exec httpd -f -p 127.0.0.1:8080 -h /var/www']
---
apiVersion: v1
kind: Pod
metadata: {{name: crash}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'echo try; exit 3']
---
apiVersion: v1
kind: Pod
metadata: {{name: flood}}
spec:
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: [sh, -c, 'while [ ! -e /tmp/go ]; do sleep 0.1; done; seq 1 {LINES}; sleep 2']
'''


class Client:
    def __init__(self, node, path):
        self.node, self.path = node, path

    def command(self, *arguments):
        return [self.path, *arguments]

    def environment(self):
        return {**os.environ, 'KUBECONFIG': self.node.kubeconfig, 'HOME': self.node.data_dir}

    def run(self, *arguments, stdin=b'', timeout=90):
        return subprocess.run([*self.node.namespace.prefix(), *self.command(*arguments)], input=stdin, capture_output=True,
                              env=self.environment(), timeout=timeout, check=False)

    def start(self, *arguments, **options):
        return subprocess.Popen([*self.node.namespace.prefix(), *self.command(*arguments)], env=self.environment(),
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, **options)

    def __call__(self, *arguments, code=0, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == code, f'{arguments}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}'
        return done.stdout.decode()


def logs(c):
    assert c('logs', 'box', '-c', 'main').startswith('started\n')
    assert c('logs', 'crash', '-p') == 'try\n'
    assert c('logs', 'crash') == 'try\n'


def execute(c):
    done = c.run('exec', 'box', '-c', 'main', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3')
    assert (done.returncode, done.stdout) == (3, b'out\n'), done
    assert b'err\n' in done.stderr, done
    data = os.urandom(2_000_000)
    assert c.run('exec', '-i', 'box', '-c', 'main', '--', 'cat', stdin=data).stdout == data
    done = c.run('exec', 'box', '-c', 'main', '--', 'nope')
    assert done.returncode != 0 and b'nope' in done.stderr, done


def terminal(c):
    inner = ' '.join([*c.node.namespace.prefix(), *c.command('exec', '-it', 'box', '-c', 'main', '--', 'sh', '-c',
                                                             "'sleep 0.5; stty size; exit 5'")])
    done = subprocess.run(['script', '-qec', f'stty rows 33 cols 99; {inner}', '/dev/null'], env=c.environment(),
                          capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=60, check=False)
    assert '33 99' in done.stdout and done.returncode == 5, done


def processes(c):
    return c('exec', 'box', '-c', 'main', '--', 'ps', '-o', 'args')


def given_up(c):
    process = c.start('exec', 'box', '-c', 'main', '--', 'sleep', '4711')
    wait_for(lambda: 'sleep 4711' in processes(c), 'the process')
    process.kill()
    process.wait()
    process.stdout.close()
    wait_for(lambda: 'sleep 4711' not in processes(c), 'the end of a process whose client went away')


def attach(c):
    process = c.start('attach', '-i', 'box', '-c', 'main', stdin=subprocess.PIPE)
    process.stdin.write('hey\n')
    process.stdin.flush()
    for line in process.stdout:
        if line == 'got hey\n':
            break
    else:
        raise AssertionError('the container did not hear us')
    process.kill()
    process.wait()
    process.stdin.close()
    process.stdout.close()


def copy(c):
    data = os.urandom(500_000)
    here, back = (os.path.join(c.node.data_dir, name) for name in ('here', 'back'))
    with open(here, 'wb') as file:
        file.write(data)
    c('cp', here, 'box:/tmp/there', '-c', 'main')
    c('cp', 'box:/tmp/there', back, '-c', 'main')
    with open(back, 'rb') as file:
        assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest()


def port_forward(c):
    process = c.start('port-forward', '--address', '127.0.0.1', 'pod/box', '18080:8080')
    assert 'Forwarding from 127.0.0.1:18080' in process.stdout.readline()
    try:
        for _ in range(5):
            assert c.node.run(['curl', '-sS', '--max-time', '5', 'http://127.0.0.1:18080/f']).stdout == 'page\n'
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def top(c):
    assert 'CPU' in c('top', 'node')
    assert re.search(r'box +\d+m +\d+Mi', c('top', 'pod')), c('top', 'pod')
    assert re.search(r'box +web +\d+m', c('top', 'pod', '--containers'))


CASES = [logs, execute, terminal, given_up, attach, copy, port_forward, top]


def rotated(c):
    """A follower sees every line once and in order, though the log is rotated meanwhile."""
    process = c.start('logs', '-f', 'flood')
    c('exec', 'flood', '--', 'touch', '/tmp/go')
    numbers = [int(line) for line in process.stdout]
    process.wait(30)
    process.stdout.close()
    assert numbers == list(range(1, LINES + 1)), f'{len(numbers)} lines of {LINES}, first {numbers[:3]}, last {numbers[-3:]}'
    assert c('logs', 'flood', '--tail=2').split() == [str(LINES - 1), str(LINES)]


def main():
    report = Report()
    why = why_not()
    clients = [path for version, path in kubectls() if version in ('1.20', '1.27', '1.29', '1.33')]
    if why or not clients:
        report.skip('node_streams', why or 'no kubectl on this machine')
        return report.finish()
    with Node() as node:
        node.import_busybox()
        node.wait_ready()
        node.kubectl(clients[-1], 'apply', '-f', '-', stdin=PODS)
        node.kubectl(clients[-1], 'wait', 'pod/box', 'pod/flood', '--for=condition=Ready', '--timeout=60s')
        wait_for(lambda: node.get('pods/crash')['status']['containerStatuses'][0]['restartCount'] >= 1, 'a restart', 60)
        for path in [*clients, node.binary]:
            for case in CASES:
                report.case(f'{os.path.basename(path)}: {case.__name__}', case, Client(node, path))
        report.case('a log that is rotated while it is followed', rotated, Client(node, clients[-1]))
        node.kubectl(clients[-1], 'delete', '--wait=true', '--timeout=60s', '-f', '-', stdin=PODS)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
