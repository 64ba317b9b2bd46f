#!/usr/bin/env python3
"""What must be refused: right status, reason, message and causes; nothing changed, nothing lost."""
import concurrent.futures
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import Report, Server, wait_for  # noqa: E402

PODS = '/api/v1/namespaces/default/pods'
MAPS = '/api/v1/namespaces/default/configmaps'
DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'


def pod(name, **spec):
    return {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name},
            'spec': {'containers': [{'name': 'main', 'image': 'busybox'}], **spec}}


def config_map(name, **data):
    return {'apiVersion': 'v1', 'kind': 'ConfigMap', 'metadata': {'name': name}, 'data': data}


class Cases:
    def __init__(self, server):
        self.server = server

    def refused(self, code, reason, method, path, body=None, headers=None, message='', causes=()):
        status, _, reply = self.server.request(method, path, body, headers)
        text = reply.decode()
        assert status == code, f'{status} instead of {code}: {text}'
        answer = json.loads(text)
        assert answer['kind'] == 'Status' and answer['status'] == 'Failure', text
        assert answer.get('reason', '') == reason, text
        assert message in answer['message'], f'{message!r} not in {answer["message"]!r}'
        found = [cause['field'] for cause in answer.get('details', {}).get('causes', [])]
        for field in causes:
            assert field in found, f'no cause for {field}: {found}'

    def count(self, path):
        return len(json.loads(self.server.request('GET', path)[2])['items'])

    def malformed_json(self):
        self.refused(400, 'BadRequest', 'POST', PODS, b'{"kind":')
        self.refused(400, 'BadRequest', 'POST', PODS, b'[]')
        self.refused(400, 'BadRequest', 'POST', PODS, b'\xff\xfe\x00')

    def malformed_yaml(self):
        self.refused(400, 'BadRequest', 'POST', PODS, b'a: [b', {'Content-Type': 'application/yaml'}, message='line 1')

    def malformed_protobuf(self):
        media = {'Content-Type': 'application/vnd.kubernetes.protobuf'}
        self.refused(400, 'BadRequest', 'POST', PODS, b'k8s\x00\xff\xff\xff', media)
        self.refused(400, 'BadRequest', 'POST', PODS, b'no magic', media)

    def unknown_media_type(self):
        self.refused(415, 'UnsupportedMediaType', 'POST', PODS, b'x', {'Content-Type': 'text/plain'})
        self.refused(415, 'UnsupportedMediaType', 'PATCH', MAPS + '/kube-root-ca.crt', b'{}')
        self.refused(406, 'NotAcceptable', 'GET', PODS, headers={'Accept': 'image/png'})

    def nested_ten_thousand_deep(self):
        deep = b'{"a":' * 10000 + b'1' + b'}' * 10000
        self.refused(400, 'BadRequest', 'POST', PODS, deep)
        self.refused(400, 'BadRequest', 'POST', PODS, b'[' * 10000, {'Content-Type': 'application/yaml'})

    def unknown_fields(self):
        body = pod('typo', restartPolicyy='Always')
        self.refused(400, 'BadRequest', 'POST', PODS + '?fieldValidation=Strict', body,
                     message='strict decoding error: unknown field "spec.restartPolicyy"')
        status, headers, _ = self.server.request('POST', PODS + '?fieldValidation=Warn&dryRun=All', body)
        assert status == 201 and 'unknown field' in headers.get('Warning', ''), headers

    def duplicate_keys(self):
        body = b'{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"dup"},"data":{"a":"1","a":"2"}}'
        self.refused(400, 'BadRequest', 'POST', MAPS + '?fieldValidation=Strict', body, message='duplicate field "data.a"')

    def wrong_types_at_each_level(self):
        for body in (pod('t', containers='x'), pod('t', containers=[1]), pod('t', containers=[{'name': 1}]),
                     pod('t', hostNetwork='yes'), pod('t', terminationGracePeriodSeconds='soon'),
                     {**pod('t'), 'metadata': 'x'}, {**pod('t'), 'metadata': {'name': 't', 'labels': ['a']}}):
            self.refused(400, 'BadRequest', 'POST', PODS, body, message='cannot')

    def invalid_names(self):
        for name in ('Upper', 'a_b', '-a', 'a' * 254, 'a/b'):
            self.refused(422, 'Invalid', 'POST', MAPS, config_map(name), causes=['metadata.name'])
        self.refused(422, 'Invalid', 'POST', MAPS, {'apiVersion': 'v1', 'kind': 'ConfigMap'}, causes=['metadata.name'])

    def all_causes_at_once(self):
        body = pod('many', containers=[{'name': 'Bad_Name', 'ports': [{'containerPort': 70000}]}], restartPolicy='Maybe')
        self.refused(422, 'Invalid', 'POST', PODS, body,
                     causes=['spec.containers[0].name', 'spec.containers[0].ports[0].containerPort', 'spec.restartPolicy'])

    def selector_must_match_template(self):
        body = {'apiVersion': 'apps/v1', 'kind': 'Deployment', 'metadata': {'name': 'd'},
                'spec': {'selector': {'matchLabels': {'a': 'b'}},
                         'template': {'metadata': {'labels': {'a': 'c'}}, 'spec': pod('x')['spec']}}}
        self.refused(422, 'Invalid', 'POST', DEPLOYMENTS, body, causes=['spec.template.metadata.labels'])

    def wrong_kind_version_namespace(self):
        self.refused(400, 'BadRequest', 'POST', PODS, config_map('x'))
        self.refused(400, 'BadRequest', 'POST', PODS, {**pod('x'), 'apiVersion': 'v2'})
        other = pod('x')
        other['metadata']['namespace'] = 'kube-system'
        self.refused(400, 'BadRequest', 'POST', PODS, other, message='namespace')
        self.refused(404, 'NotFound', 'POST', PODS.replace('default', 'nowhere'), pod('x'), message='namespaces "nowhere" not found')
        self.refused(404, 'NotFound', 'GET', '/apis/apps/v9/deployments')
        self.refused(404, 'NotFound', 'GET', '/api/v1/unicorns')
        self.refused(405, 'MethodNotAllowed', 'PUT', '/version')

    def stale_revision(self):
        created = json.loads(self.server.request('POST', MAPS, config_map('stale', a='1'))[2])
        self.server.request('PUT', MAPS + '/stale', {**created, 'data': {'a': '2'}})
        self.refused(409, 'Conflict', 'PUT', MAPS + '/stale', {**created, 'data': {'a': '3'}},
                     message='the object has been modified')
        kept = json.loads(self.server.request('GET', MAPS + '/stale')[2])
        assert kept['data'] == {'a': '2'}, kept
        self.refused(409, 'Conflict', 'DELETE', MAPS + '/stale', {'preconditions': {'uid': 'another'}})
        self.refused(409, 'AlreadyExists', 'POST', MAPS, config_map('stale'))

    def patches_that_break_validation(self):
        self.server.request('POST', MAPS, config_map('patched', a='1'))
        merge = {'Content-Type': 'application/merge-patch+json'}
        as_json = {'Content-Type': 'application/json-patch+json'}
        path = MAPS + '/patched'
        self.refused(422, 'Invalid', 'PATCH', path, {'data': {'bad key': 'x'}}, merge, causes=['data[bad key]'])
        self.refused(422, 'Invalid', 'PATCH', path, {'metadata': {'labels': {'bad label!': 'x'}}}, merge)
        self.refused(400, 'BadRequest', 'PATCH', path, b'{', merge)
        self.refused(422, 'Invalid', 'PATCH', path, [{'op': 'test', 'path': '/data/a', 'value': '2'}], as_json)
        self.refused(422, 'Invalid', 'PATCH', path, [{'op': 'remove', 'path': '/data/zz'}], as_json)
        self.refused(400, 'BadRequest', 'PATCH', path, {'not': 'a list'}, as_json)
        kept = json.loads(self.server.request('GET', path)[2])
        assert kept['data'] == {'a': '1'}, kept

    def bad_selectors_and_tokens(self):
        self.refused(400, 'BadRequest', 'GET', PODS + '?labelSelector=a%20b%20c')
        self.refused(400, 'BadRequest', 'GET', PODS + '?fieldSelector=spec.nothing%3D1', message='field label not supported')
        self.refused(400, 'BadRequest', 'GET', PODS + '?continue=garbage')
        self.refused(400, 'BadRequest', 'GET', PODS + '?resourceVersion=abc')

    def immutable_fields(self):
        self.server.request('POST', MAPS, {**config_map('fixed', a='1'), 'immutable': True})
        stored = json.loads(self.server.request('GET', MAPS + '/fixed')[2])
        self.refused(422, 'Invalid', 'PUT', MAPS + '/fixed', {**stored, 'data': {'a': '2'}})

    def hundred_megabyte_body(self):
        context = self.server.tls()
        with socket.create_connection(('127.0.0.1', self.server.port), timeout=30) as raw:
            with context.wrap_socket(raw, server_hostname='127.0.0.1') as tls:
                head = f'POST {PODS} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n' \
                       f'Content-Length: {100 * 1024 * 1024}\r\n\r\n'
                tls.sendall(head.encode())
                assert b' 413 ' in tls.recv(200), 'no 413'

    def no_certificate(self):
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        import urllib.request
        request = urllib.request.Request(f'https://127.0.0.1:{self.server.port}{PODS}')
        try:
            urllib.request.urlopen(request, context=context, timeout=10)
        except urllib.error.HTTPError as error:
            assert error.code == 401 and json.loads(error.read())['reason'] == 'Unauthorized'
        else:
            raise AssertionError('answered without a certificate')
        with urllib.request.urlopen(f'https://127.0.0.1:{self.server.port}/readyz', context=context, timeout=10) as reply:
            assert reply.read() == b'ok'

    def thousand_idle_connections(self):
        before = rss_kib(self.server.process.pid)
        connections = [socket.create_connection(('127.0.0.1', self.server.port), timeout=10) for _ in range(1000)]
        try:
            status, _, _ = self.server.request('GET', '/readyz')
            assert status == 200
        finally:
            for connection in connections:
                connection.close()
        print(f'    # 1000 idle connections: {rss_kib(self.server.process.pid) - before} KiB')

    def watcher_that_does_not_read(self):
        context = self.server.tls()
        raw = socket.create_connection(('127.0.0.1', self.server.port), timeout=30)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        with context.wrap_socket(raw, server_hostname='127.0.0.1') as tls:
            tls.sendall(f'GET {MAPS}?watch=1 HTTP/1.1\r\nHost: x\r\n\r\n'.encode())
            before = rss_kib(self.server.process.pid)

            def write(i):
                body = config_map('flood', a=str(i), b='x' * 100_000)
                return self.server.request('POST' if i == 0 else 'PUT', MAPS + ('' if i == 0 else '/flood'), body)[0]
            assert [write(i) for i in range(200)] == [201] + [200] * 199
            grown = rss_kib(self.server.process.pid) - before
            assert grown < 100_000, f'{grown} KiB for one slow watcher'

    def many_at_once(self):
        def write(i):
            return self.server.request('POST', MAPS, config_map(f'many-{i}', a=str(i)))[0]
        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            assert set(pool.map(write, range(200))) == {201}
        assert self.count(MAPS) >= 200


def rss_kib(pid):
    for line in open(f'/proc/{pid}/status', encoding='utf-8'):
        if line.startswith('VmRSS'):
            return int(line.split()[1])
    return 0


def start_expecting_failure(*flags):
    binary = os.environ.get('ORCH_BIN', Server().binary)
    done = subprocess.run([binary, 'server', '--disable-agent', *flags], capture_output=True, text=True, timeout=30,
                          check=False)
    assert done.returncode != 0, 'it started'
    lines = [line for line in done.stderr.splitlines() if line.startswith('orch server: ')]
    assert len(lines) == 1, done.stderr
    return done.returncode, lines[0]


def taken_port(server):
    other = tempfile.mkdtemp()
    status, text = start_expecting_failure('--data-dir', other, '--bind-address', '127.0.0.1', '--https-listen-port',
                                           str(server.port))
    assert status == 1 and 'in use' in text and str(server.port) in text, text
    assert os.listdir(other) == [], 'it wrote something'
    os.rmdir(other)


def data_dir_in_use(server):
    status, text = start_expecting_failure('--data-dir', server.data_dir, '--bind-address', '127.0.0.1',
                                           '--https-listen-port', '0')
    assert status == 1 and 'in use' in text, text


def wrong_flags(_):
    assert start_expecting_failure('--no-such-flag')[0] == 2
    with tempfile.NamedTemporaryFile('w', suffix='.yaml') as config:
        config.write('no-such-key: 1\n')
        config.flush()
        status, text = start_expecting_failure('--config', config.name)
        assert status == 2 and 'no-such-key' in text, text


def newer_version(_):
    directory = tempfile.mkdtemp()
    try:
        with Server(data_dir=directory):
            pass
        import sqlite3
        path = os.path.join(directory, 'server', 'db', 'state.db')
        db = sqlite3.connect(path)
        db.execute('pragma user_version = 999')
        db.commit()
        db.close()
        status, text = start_expecting_failure('--data-dir', directory, '--bind-address', '127.0.0.1',
                                               '--https-listen-port', '0')
        assert status == 1 and 'newer' in text, text
    finally:
        shutil.rmtree(directory)


def survives_kill_9(_):
    server = Server()
    with server:
        server.request('POST', MAPS, config_map('kept', a='1'))
        for _ in range(3):
            server.stop(signal.SIGKILL)
            server.start()
            kept = json.loads(server.request('GET', MAPS + '/kept')[2])
            assert kept['data'] == {'a': '1'}


def main():
    report = Report()
    with Server() as server:
        cases = Cases(server)
        for name in [name for name in vars(Cases) if not name.startswith('_') and name not in ('refused', 'count')]:
            report.case(name, getattr(cases, name))
        for check in (taken_port, data_dir_in_use, wrong_flags, newer_version, survives_kill_9):
            report.case(check.__name__, check, server)
        report.case('still ready after all this', lambda: wait_for(
            lambda: server.request('GET', '/readyz')[0] == 200, '/readyz'))
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
