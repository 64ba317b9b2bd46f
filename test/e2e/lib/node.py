"""A whole node of the test's own: `orch server` with its agent, inside a network namespace that exists only for it.

    with Node() as node:
        node.import_busybox()
        node.kubectl(KUBECTL, 'apply', '-f', '-', stdin=manifest)
        ...
        node.kubectl(KUBECTL, 'delete', '-f', '-', stdin=manifest)
        assert node.leftovers() == []

Commands of the node's world (kubectl, curl) run in its namespace: node.run([...]), node.kubectl(...). Pod addresses exist
nowhere else. What a failed test left is removed at the end, by pid and by path.
"""
import hashlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from cluster import ROOT, Report, Server, kubectls, wait_for  # noqa: E402,F401

BUSYBOX = 'docker.io/library/busybox:latest'


def newest_kubectl():
    found = kubectls()
    return found[-1][1] if found else None


def cgroup_mount():
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        for line in file:
            left, _, right = line.partition(' - ')
            if right.startswith('cgroup2 '):
                return left.split()[4]
    return None


def why_not():
    """What this machine lacks for running containers; '' if nothing."""
    if os.geteuid() != 0:
        return 'not root'
    if cgroup_mount() is None:
        return 'no cgroup v2'
    if shutil.which('ip') is None or shutil.which('nsenter') is None:
        return 'no iproute2 or nsenter'
    return ''


class Namespace:
    """A network namespace with loopback up; more are joined by connect()."""
    made = 0

    def __init__(self):
        Namespace.made += 1
        self.name = f'orch-t{os.getpid()}-{Namespace.made}'
        self.path = f'/run/netns/{self.name}'
        subprocess.run(['ip', 'netns', 'add', self.name], check=True)
        self.run(['ip', 'link', 'set', 'lo', 'up'])

    def prefix(self):
        # Not `ip netns exec`, which would mount another /sys.
        return ['nsenter', f'--net={self.path}']

    def run(self, command, check=True, **options):
        options = {'capture_output': True, 'text': True, 'timeout': 60, **options}
        done = subprocess.run([*self.prefix(), *command], check=False, **options)
        if check and done.returncode != 0:
            raise AssertionError(f'{" ".join(command)}: exit {done.returncode}\n{done.stdout}{done.stderr}')
        return done

    def connect(self, other, own_address, other_address):
        """A veth pair between two namespaces: addresses with prefix length."""
        own, peer = f'v{os.getpid() % 10000}a{Namespace.made}', f'v{os.getpid() % 10000}b{Namespace.made}'
        self.run(['ip', 'link', 'add', own, 'type', 'veth', 'peer', 'name', peer, 'netns', other.name])
        for space, link, address in ((self, own, own_address), (other, peer, other_address)):
            space.run(['ip', 'addr', 'add', address, 'dev', link])
            space.run(['ip', 'link', 'set', link, 'up'])

    def remove(self):
        subprocess.run(['ip', 'netns', 'del', self.name], check=False, capture_output=True)


def busybox_rootfs():
    """A root file system of busybox under all its names, as the bytes of a tar."""
    binary = next((path for path in ('/bin/busybox', '/usr/bin/busybox') if os.path.exists(path)), None)
    if binary is None:
        raise RuntimeError('no busybox: install busybox-static')
    applets = subprocess.run([binary, '--list'], capture_output=True, text=True, check=True).stdout.split()
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode='w') as tar:
        for name, mode in (('bin', 0o755), ('etc', 0o755), ('root', 0o700), ('tmp', 0o1777), ('var/www', 0o755)):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = tarfile.DIRTYPE, mode
            tar.addfile(entry)
        tar.add(binary, 'bin/busybox')
        for applet in applets:
            if applet != 'busybox':
                entry = tarfile.TarInfo(f'bin/{applet}')
                entry.type, entry.linkname = tarfile.SYMTYPE, 'busybox'
                tar.addfile(entry)
        for name, text in (('etc/passwd', 'root:x:0:0:root:/root:/bin/sh\nuser:x:1000:1000::/tmp:/bin/sh\n'
                                          'nobody:x:65534:65534:nobody:/:/bin/false\n'),
                           ('etc/group', 'root:x:0:\nuser:x:1000:\nextra:x:2000:user\nnogroup:x:65534:\n')):
            entry = tarfile.TarInfo(name)
            entry.size = len(text)
            tar.addfile(entry, io.BytesIO(text.encode()))
    return out.getvalue()


class Node(Server):
    """flags: of `orch server`. keep_namespace: another Namespace to live in."""

    def __init__(self, *flags, namespace=None, data_dir=None):
        self.own_namespace = namespace is None
        self.namespace = namespace or Namespace()
        data_dir_given = data_dir
        super().__init__('--node-name', 'node-1', *flags, data_dir=data_dir or tempfile.mkdtemp(prefix='orch-node-'))
        self.own_dir = data_dir_given is None
        self.instance = hashlib.sha256(os.path.realpath(self.data_dir).encode()).hexdigest()[:12]

    def prefix(self):
        return self.namespace.prefix()

    def role_flags(self):
        return []

    @property
    def run_dir(self):
        return f'/run/orch/{self.instance}'

    @property
    def cgroup(self):
        return os.path.join(cgroup_mount(), f'orch-{self.instance}')

    def __exit__(self, *arguments):
        self.stop()
        self.clean()
        if self.own_namespace:
            self.namespace.remove()
        if self.own_dir:
            shutil.rmtree(self.data_dir, ignore_errors=True)

    def run(self, command, **options):
        options.setdefault('env', {**os.environ, 'KUBECONFIG': self.kubeconfig})
        return self.namespace.run(command, **options)

    def orch(self, *arguments, **options):
        return self.run([self.binary, *arguments], **options)

    def import_image(self, tar, name=None, **options):
        with tempfile.NamedTemporaryFile(suffix='.tar') as file:
            file.write(tar)
            file.flush()
            named = ['--name', name] if name else []
            return self.orch('image', 'import', file.name, *named, '--data-dir', self.data_dir, **options)

    def import_busybox(self):
        return self.import_image(busybox_rootfs(), BUSYBOX)

    def get(self, kind, name='', namespace='default'):
        """The object or list, as a dictionary; None where there is none."""
        scope = ['-n', namespace] if namespace else ['-A']
        done = self.kubectl(newest_kubectl(), 'get', kind, *([name] if name else []), *scope, '-o', 'json', check=False)
        return json.loads(done.stdout) if done.returncode == 0 and done.stdout else None

    def wait_ready(self, timeout=30):
        def ready():
            node = self.get('node', 'node-1', '')
            conditions = (node or {}).get('status', {}).get('conditions', [])
            return any(c['type'] == 'Ready' and c['status'] == 'True' for c in conditions)
        wait_for(ready, 'the node to be Ready', timeout)

    # --- What is running, what is left -------------------------------------------

    def shims(self):
        """{pod uid: pid}"""
        found = {}
        for uid in self._entries(f'{self.run_dir}/pods'):
            try:
                with open(f'{self.run_dir}/pods/{uid}/sandbox.json', encoding='utf-8') as file:
                    found[uid] = json.load(file)['pid']
            except (OSError, ValueError):
                pass
        return found

    def processes(self):
        """Pids in the node's cgroup."""
        pids = []
        for directory, _, files in os.walk(self.cgroup):
            if 'cgroup.procs' in files:
                try:
                    with open(os.path.join(directory, 'cgroup.procs'), encoding='utf-8') as file:
                        pids += [int(line) for line in file.read().split()]
                except OSError:
                    pass
        return pids

    def leftovers(self):
        """What is left of pods: processes, cgroups, links, files, mounts, nf_tables rules that name a pod."""
        left = [f'process {pid}' for pid in self.processes()]
        for quality in self._entries(self.cgroup):
            for name in self._entries(os.path.join(self.cgroup, quality)):
                if name.startswith('pod'):
                    left.append(f'cgroup {quality}/{name}')
        for place in (f'{self.run_dir}/pods', f'{self.data_dir}/agent/pods', f'{self.data_dir}/agent/containers',
                      f'{self.data_dir}/agent/logs'):
            left += [f'{place}/{name}' for name in self._entries(place)]
        with open('/proc/self/mountinfo', encoding='utf-8') as file:
            left += [f'mount {line.split()[4]}' for line in file if self.data_dir in line or self.run_dir in line]
        links = self.namespace.run(['ip', '-br', 'link', 'show', 'type', 'veth']).stdout
        left += [f'link {line.split()[0]}' for line in links.splitlines()]
        return left

    @staticmethod
    def _entries(path):
        try:
            return os.listdir(path)
        except OSError:
            return []

    def reboot(self):
        """As a power cut has it: every process gone at once, nothing below /run, no link."""
        self.stop(signal.SIGKILL)
        self._end_all()
        shutil.rmtree(self.run_dir, ignore_errors=True)
        links = json.loads(self.namespace.run(['ip', '-j', 'link', 'show']).stdout or '[]')
        for link in links:
            if link['ifname'] != 'lo':
                self.namespace.run(['ip', 'link', 'del', link['ifname']], check=False)
        if shutil.which('nft'):
            self.namespace.run(['nft', 'flush', 'ruleset'], check=False)

    def _end_all(self):
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            pids = self.processes()
            if not pids:
                return
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            time.sleep(0.02)

    def clean(self):
        self._end_all()
        for directory, _, _ in os.walk(self.cgroup, topdown=False):
            try:
                os.rmdir(directory)
            except OSError:
                pass
        shutil.rmtree(self.run_dir, ignore_errors=True)
