#!/usr/bin/env python3
"""Everything that streams between kubectl and a container, for each kubectl on the machine: logs, exec, attach, cp,
port-forward, top, proxies. The containers are host processes (test/streams/stream_server.cpp), so that this needs
neither root nor images."""
import hashlib
import http.server
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import ROOT, Report, kubectls, wait_for  # noqa: E402

SERVER = os.path.join(ROOT, 'build-test', 'test', 'streams', 'stream_server')
HOST = 'http://127.0.0.1'


class World:
    def __init__(self):
        self.directory = tempfile.mkdtemp(prefix='orch-streams-')

    def __enter__(self):
        self.log = open(os.path.join(self.directory, 'server.log'), 'wb')
        self.process = subprocess.Popen([SERVER, self.directory], stdout=subprocess.PIPE, stderr=self.log, text=True,
                                        start_new_session=True)
        line = self.process.stdout.readline()
        assert line.startswith('ready '), f'stream_server: {line!r}'
        self.url = f'{HOST}:{line.split()[1]}'
        self.web = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Page)
        threading.Thread(target=self.web.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.web.shutdown()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        # Its "containers" are children that wait for their input.
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        self.log.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    @property
    def web_port(self):
        return self.web.server_address[1]


class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):  # noqa: N802
        body = f'page {self.path}'.encode()
        self.send_response(200)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Kubectl:
    def __init__(self, world, path):
        self.world, self.path = world, path
        config = os.path.join(world.directory, 'kubeconfig')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('apiVersion: v1\nkind: Config\n')
        self.environment = {**os.environ, 'HOME': world.directory, 'KUBECONFIG': config}

    def command(self, *arguments):
        return [self.path, '--server', self.world.url, *arguments]

    def run(self, *arguments, stdin=b'', timeout=60):
        return subprocess.run(self.command(*arguments), input=stdin, capture_output=True, env=self.environment,
                              timeout=timeout, check=False)

    def __call__(self, *arguments, code=0, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == code, f'{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}'
        return done.stdout.decode()

    def fails(self, *arguments, code=1, **options):
        done = self.run(*arguments, **options)
        assert done.returncode == code, f'{arguments}: exit {done.returncode}\n{done.stdout}{done.stderr}'
        return done.stderr.decode()

    def start(self, *arguments, **options):
        return subprocess.Popen(self.command(*arguments), env=self.environment, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, **options)


def expect(text, *parts):
    for part in parts:
        assert part in text, f'{part!r} not in {text!r}'


def logs(k):
    assert k('logs', 'done') == 'first\nsecond\nthird\n'
    assert k('logs', 'done', '--tail=1') == 'third\n'
    assert k('logs', 'done', '--tail=0') == ''
    assert k('logs', 'done', '--limit-bytes=8') == 'first\nse'
    assert k('logs', 'two', '-c', 'b') == 'from b\n'
    assert sorted(k('logs', 'two', '--all-containers=true').splitlines()) == ['from a', 'from b', 'set up']
    first = k('logs', 'done', '--timestamps').splitlines()[0]
    assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z first', first), first
    assert k('logs', 'done', '--since-time=2100-01-01T00:00:00Z') == ''
    assert k('logs', 'far') == ''
    expect(k('logs', '-l', 'app=done'), 'third')
    assert k('logs', '-f', 'done') == 'first\nsecond\nthird\n'


def logs_refused(k):
    expect(k.fails('logs', 'waits'), 'container "main" in pod "waits" is waiting to start: ContainerCreating')
    expect(k.fails('logs', 'none'), 'pods "none" not found')
    expect(k.fails('logs', 'done', '-c', 'x'), 'container x is not valid for pod done')
    expect(k.fails('logs', '-p', 'one'), 'previous terminated container "main" in pod "one" not found')
    expect(k.fails('get', '--raw', '/api/v1/namespaces/default/pods/two/log'),
           'a container name must be specified for pod two, choose one of: [a b] or one of the init containers: [setup]')


def follow(k):
    process = k.start('logs', '-f', 'one', '--tail=0')
    lines = [process.stdout.readline() for _ in range(10)]
    process.terminate()
    process.wait(10)
    process.stdout.close()
    numbers = [int(line.split()[1]) for line in lines]
    assert numbers == list(range(numbers[0], numbers[0] + 10)), numbers


def execute(k):
    done = k.run('exec', 'one', '--', 'sh', '-c', 'echo out; echo err >&2; exit 3')
    assert (done.returncode, done.stdout) == (3, b'out\n'), done
    expect(done.stderr.decode(), 'err\n', 'command terminated with exit code 3')
    assert k('exec', '-i', 'one', '--', 'cat', stdin=b'hello') == 'hello'
    assert k('exec', 'two', '-c', 'b', '--', 'echo', 'a b', '') == 'a b \n'
    expect(k.fails('exec', 'one', '--', 'nope'), 'executable file not found in $PATH')
    expect(k.fails('exec', 'far', '--', 'ls'), 'pod far does not have a host assigned')
    expect(k.fails('exec', 'done', '--', 'ls'), 'container not found ("main")')


def large(k):
    data = os.urandom(3_000_000)
    done = k.run('exec', '-i', 'one', '--', 'cat', stdin=data)
    assert done.stdout == data, f'{len(done.stdout)} of {len(data)} bytes came back'
    lines = k('exec', 'one', '--', 'seq', '200000').split()
    assert lines == [str(i) for i in range(1, 200001)]


def terminal(k):
    inner = ' '.join(k.command('exec', '-it', 'one', '--', 'sh', '-c', "'tty >/dev/null && echo is-tty; exit 5'"))
    done = subprocess.run(['script', '-qec', inner, '/dev/null'], env=k.environment, capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=30, check=False)
    expect(done.stdout, 'is-tty')
    assert done.returncode == 5, done


def attach(k):
    process = k.start('attach', '-i', 'one', stdin=subprocess.PIPE)
    process.stdin.write('hey\n')
    process.stdin.flush()
    for line in process.stdout:
        if line == 'got hey\n':
            break
    else:
        raise AssertionError('the container did not hear us')
    process.terminate()
    process.wait(10)
    process.stdin.close()
    process.stdout.close()


def copy(k):
    data = os.urandom(700_000)
    here, there, back = (os.path.join(k.world.directory, name) for name in ('here', 'there', 'back'))
    with open(here, 'wb') as file:
        file.write(data)
    k('cp', here, f'one:{there}')
    k('cp', f'one:{there}', back)
    for path in (there, back):
        with open(path, 'rb') as file:
            assert hashlib.sha256(file.read()).digest() == hashlib.sha256(data).digest(), path
        os.unlink(path)


def free_port():
    with socket.socket() as one:
        one.bind(('127.0.0.1', 0))
        return one.getsockname()[1]


def fetch(port, path):
    with urllib.request.urlopen(f'{HOST}:{port}{path}', timeout=10) as reply:
        return reply.read().decode()


def port_forward(k):
    good, bad = free_port(), free_port()
    process = k.start('port-forward', '--address', '127.0.0.1', 'pod/one', f'{good}:{k.world.web_port}', f'{bad}:1')
    for _ in range(2):
        expect(process.stdout.readline(), 'Forwarding from 127.0.0.1:')
    for i in range(20):
        assert fetch(good, f'/{i}') == f'page /{i}'
    results = []
    threads = [threading.Thread(target=lambda i=i: results.append(fetch(good, f'/t{i}') == f'page /t{i}')) for i in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [True] * 10, results
    try:
        fetch(bad, '/')
        raise AssertionError('nobody listens there')
    except OSError:
        pass
    text = ''
    while 'an error occurred forwarding' not in text:
        line = process.stdout.readline()
        assert line, text
        text += line
    expect(text, f'{bad} -> 1', 'error forwarding port 1 to pod one_default', 'Connection refused')
    process.terminate()
    process.wait(10)
    process.stdout.close()


def top(k):
    expect(k('top', 'node'), 'CPU', 'n1')
    expect(k('top', 'pod', '--containers'), 'one', 'main', '20Mi')
    expect(k('top', 'pod', 'one'), '250m')
    expect(k('top', 'pod', '-l', 'app=two'), 'two')
    expect(k.fails('top', 'pod', 'none'), 'not found')
    expect(k('api-versions'), 'metrics.k8s.io/v1beta1')


def proxies(k):
    assert k('get', '--raw', f'/api/v1/namespaces/default/pods/one:{k.world.web_port}/proxy/x?y=1') == 'page /x?y=1'
    assert k('get', '--raw', '/api/v1/nodes/n1/proxy/healthz') == 'ok'
    expect(k('get', '--raw', '/api/v1/nodes/n1/proxy/pods'), '"PodList"')
    expect(k('get', '--raw', '/api/v1/nodes/n1/proxy/metrics/resource'), 'container_cpu_usage_seconds_total{container="main"')
    expect(k.fails('get', '--raw', '/api/v1/namespaces/default/pods/one:1/proxy/'), 'error trying to reach service')


CASES = [logs, logs_refused, follow, execute, large, terminal, attach, copy, port_forward, top, proxies]


def websocket_before_it_was_default(k):
    """kubectl 1.29 and 1.30 have the WebSocket client behind a variable."""
    k.environment.update(KUBECTL_REMOTE_COMMAND_WEBSOCKETS='true', KUBECTL_PORT_FORWARD_WEBSOCKETS='true')
    for case in (execute, large, port_forward):
        case(k)


# Verbs whose output does not change between two runs: orch's own beside the newest kubectl.
BESIDE = ['logs done', 'logs two', 'logs two -c b --prefix', 'logs -l app=done', 'logs -l app=zzz', 'logs done -p',
          'logs waits', 'logs none', 'logs done -c x', 'logs done --tail=1 --limit-bytes=3', 'logs pod/done',
          'exec one -- nope', 'exec far -- ls', 'exec two -- echo hi', 'exec none -- ls', 'exec one -- false',
          'top pod', 'top pod --containers --sum', 'top pod none', 'top pod -l app=two --no-headers', 'top pod -A --sort-by=cpu --sum',
          'cp a b', 'cp /nonexist one:/tmp/x', 'port-forward far 80']


def orch_binary():
    for path in (os.environ.get('ORCH_BIN', ''), os.path.join(ROOT, 'build', 'orch'), os.path.join(ROOT, 'build-test', 'orch')):
        if os.path.exists(path):
            return path
    return None


def beside(words, kubectl, orch):
    theirs, ours = (one.run(*words.split()) for one in (kubectl, orch))
    for what in ('returncode', 'stdout', 'stderr'):
        assert getattr(theirs, what) == getattr(ours, what), f'{what}:\n{getattr(theirs, what)}\n{getattr(ours, what)}'


def main():
    report = Report()
    if not os.path.exists(SERVER):
        report.skip('streams', 'build-test/test/streams/stream_server is not built')
        return report.finish()
    binaries = kubectls()
    if not binaries:
        report.skip('kubectl', 'none on this machine')
    with World() as world:
        for version, path in binaries:
            k = Kubectl(world, path)
            for case in CASES:
                report.case(f'kubectl {version}: {case.__name__}', case, k)
            if version in ('1.29', '1.30'):
                report.case(f'kubectl {version}: over WebSocket', websocket_before_it_was_default, k)
        own = orch_binary()
        if own is None:
            report.skip('orch', 'the program is not built')
        else:
            orch = Kubectl(world, own)
            for case in (logs, follow, execute, large, terminal, attach, copy, port_forward, top):
                report.case(f'orch: {case.__name__}', case, orch)
            newest = [Kubectl(world, path) for version, path in binaries if version == '1.33']
            for words in BESIDE if newest else []:
                report.case(f'orch beside kubectl 1.33: {words}', beside, words, newest[0], orch)
        wait_for(lambda: world.process.poll() is None, 'the server to be there still')
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
