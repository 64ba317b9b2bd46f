"""A server of the test's own: started on a free port, ended by pid, everything in a temporary directory."""
import json
import os
import shutil
import signal
import ssl
import subprocess
import tempfile
import time
import urllib.request

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..', '..'))


class Server:
    def __init__(self, *flags, data_dir=None):
        self.binary = os.environ.get('ORCH_BIN', os.path.join(ROOT, 'build', 'orch'))
        self.own_dir = data_dir is None
        self.data_dir = data_dir or tempfile.mkdtemp(prefix='orch-test-')
        self.flags = list(flags)
        self.process = None
        self.port = None
        self.context = None
        self.log_path = os.path.join(self.data_dir, 'server.log')

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()
        if self.own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    @property
    def kubeconfig(self):
        return os.path.join(self.data_dir, 'kubeconfig')

    def prefix(self):
        """What every command of this server's world begins with."""
        return []

    def role_flags(self):
        return ['--disable-agent']

    def start(self, timeout=30):
        log = open(self.log_path, 'ab')
        started_at = os.path.getsize(self.log_path)
        port = str(self.port or 0)
        self.process = subprocess.Popen(
            [*self.prefix(), self.binary, 'server', *self.role_flags(), '--data-dir', self.data_dir,
             '--bind-address', '127.0.0.1', '--https-listen-port', port, *self.flags],
            stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        log.close()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise RuntimeError('the server ended at once:\n' + self.log())
            with open(self.log_path, encoding='utf-8', errors='replace') as file:
                file.seek(started_at)
                if ' info ready ' in file.read():
                    self.port = self._port()
                    return
            time.sleep(0.01)
        raise RuntimeError('the server did not get ready:\n' + self.log())

    def _port(self):
        for line in open(self.kubeconfig, encoding='utf-8'):
            if 'server:' in line:
                return int(line.strip().rsplit(':', 1)[1])
        raise RuntimeError('no server in the kubeconfig')

    def stop(self, how=signal.SIGTERM, timeout=20):
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(how)
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        status = self.process.returncode
        self.process = None
        return status

    def log(self):
        with open(self.log_path, encoding='utf-8', errors='replace') as file:
            return file.read()[-4000:]

    def kubectl(self, binary, *arguments, stdin=None, check=True, timeout=60):
        """-> CompletedProcess with text output."""
        home = os.path.join(self.data_dir, 'home')
        os.makedirs(home, exist_ok=True)
        environment = {**os.environ, 'KUBECONFIG': self.kubeconfig, 'HOME': home}
        done = subprocess.run([*self.prefix(), binary, *arguments], input=stdin, capture_output=True, text=True,
                              env=environment, timeout=timeout, check=False)
        if check and done.returncode != 0:
            raise AssertionError(f'{" ".join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return done

    def tls(self):
        """An SSL context with the admin's certificate."""
        if self.context is None:
            self.context = self._make_tls()
        return self.context

    def _make_tls(self):
        config = {}
        for line in open(self.kubeconfig, encoding='utf-8'):
            key, _, value = line.strip().lstrip('- ').partition(': ')
            config[key] = value
        import base64
        paths = {}
        for key in ('certificate-authority-data', 'client-certificate-data', 'client-key-data'):
            paths[key] = os.path.join(self.data_dir, key + '.pem')
            with open(paths[key], 'wb') as file:
                file.write(base64.b64decode(config[key]))
        context = ssl.create_default_context(cafile=paths['certificate-authority-data'])
        context.load_cert_chain(paths['client-certificate-data'], paths['client-key-data'])
        return context

    def request(self, method, path, body=None, headers=None, timeout=30):
        """-> (status, headers, bytes)"""
        if isinstance(body, (dict, list)):
            body = json.dumps(body).encode()
        request = urllib.request.Request(f'https://127.0.0.1:{self.port}{path}', data=body, method=method,
                                         headers={'Content-Type': 'application/json', **(headers or {})})
        try:
            with urllib.request.urlopen(request, context=self.tls(), timeout=timeout) as reply:
                return reply.status, reply.headers, reply.read()
        except urllib.error.HTTPError as error:
            return error.code, error.headers, error.read()


def kubectls():
    """-> [(version, path)] of every real kubectl on this machine."""
    done = subprocess.run([os.path.join(ROOT, 'scripts', 'kubectls.sh')], capture_output=True, text=True, check=False)
    return [tuple(line.split(' ', 1)) for line in done.stdout.splitlines() if line]


class Report:
    """Counts cases; a failing one prints why and the others go on."""

    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def case(self, name, function, *arguments):
        try:
            function(*arguments)
        except Exception as problem:  # pylint: disable=broad-except
            self.failed += 1
            print(f'not ok - {name}\n    ' + str(problem).replace('\n', '\n    '), flush=True)
        else:
            self.passed += 1
            print(f'ok - {name}', flush=True)

    def skip(self, name, why):
        self.skipped += 1
        print(f'SKIP: {name}: {why}', flush=True)

    def finish(self):
        print(f'{self.passed} passed, {self.failed} failed, {self.skipped} skipped')
        return 1 if self.failed else 0


def wait_for(condition, what, timeout=20):
    deadline = time.monotonic() + timeout
    while time.monotonic() < deadline:
        result = condition()
        if result:
            return result
        time.sleep(0.02)
    raise AssertionError(f'waited {timeout} s for {what}')
