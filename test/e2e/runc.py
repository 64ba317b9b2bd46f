#!/usr/bin/env python3
"""`orch runc` by hand and under Debian's podman: what users of an OCI runtime count on.

Runs in a mount namespace of its own where cgroup v2 is at /sys/fs/cgroup (on a host with cgroup v1 that is the only way
to have podman use it); the host's mounts are not touched.
"""
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
ORCH = os.path.abspath(os.environ.get('ORCH_BIN', os.path.join(ROOT, 'build', 'orch')))
CGROUPS = '/sys/fs/cgroup'
results = {'passed': 0, 'failed': 0, 'skipped': 0}


def enter_namespace():
    if os.environ.get('ORCH_RUNC_TEST') == 'inside':
        return
    os.environ['ORCH_RUNC_TEST'] = 'inside'
    os.execvp('unshare', ['unshare', '-m', sys.executable, os.path.abspath(__file__)])


def mount_cgroups():
    subprocess.run(['umount', '-R', CGROUPS], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(['mount', '-t', 'cgroup2', 'cgroup2', CGROUPS], check=True)


def run(*words, timeout=60, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=timeout, **more)


def on_terminal(*words, timeout=60):
    """Output and exit code of a program on a terminal of its own."""
    child, master = pty.fork()
    if child == 0:
        os.execvp(words[0], words)
    output = b''
    signal.signal(signal.SIGALRM, lambda *_: os.kill(child, signal.SIGKILL))
    signal.alarm(timeout)
    while True:
        try:
            piece = os.read(master, 4096)
        except OSError:
            break
        if not piece:
            break
        output += piece
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    signal.alarm(0)
    return output.decode(), code


def expect(what, actual, wanted):
    good = wanted(actual) if callable(wanted) else actual == wanted
    results['passed' if good else 'failed'] += 1
    if not good:
        print(f'FAILED {what}: {actual!r}' + ('' if callable(wanted) else f', wanted {wanted!r}'), flush=True)


def until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return False


class Bundle:
    """A busybox root and a config.json that `spec` wrote."""

    def __init__(self, work):
        self.path = os.path.join(work, 'bundle')
        self.rootfs = os.path.join(self.path, 'rootfs')
        self.state = os.path.join(work, 'state')
        for name in ('bin', 'etc', 'proc', 'dev', 'sys', 'tmp', 'run'):
            os.makedirs(os.path.join(self.rootfs, name), exist_ok=True)
        shutil.copy('/bin/busybox', os.path.join(self.rootfs, 'bin', 'busybox'))
        for applet in run('/bin/busybox', '--list').stdout.split():
            if applet != 'busybox':
                os.symlink('busybox', os.path.join(self.rootfs, 'bin', applet))
        with open(os.path.join(self.rootfs, 'etc', 'passwd'), 'w', encoding='utf-8') as file:
            file.write('root:x:0:0:root:/root:/bin/sh\nweb:x:33:33:web:/var/www:/bin/sh\n')
        self.runc('spec', '--bundle', self.path)
        with open(os.path.join(self.path, 'config.json'), encoding='utf-8') as file:
            self.base = json.load(file)
        self.base['process']['terminal'] = False

    def runc(self, *words, **more):
        return run(ORCH, 'runc', '--root', self.state, *words, cwd=self.path if os.path.isdir(self.path) else None, **more)

    def write(self, *arguments, change=None):
        config = json.loads(json.dumps(self.base))
        config['process']['args'] = list(arguments)
        if change:
            change(config)
        with open(os.path.join(self.path, 'config.json'), 'w', encoding='utf-8') as file:
            json.dump(config, file)

    def output(self, script, change=None):
        self.write('sh', '-c', script, change=change)
        done = self.runc('run', 'once')
        return done.stdout + done.stderr

    def status(self, name):
        return json.loads(self.runc('state', name).stdout or '{}').get('status')


def test_life(bundle):
    bundle.write('sh', '-c', 'trap "exit 3" TERM; echo up; while :; do sleep 0.05; done')
    pid_file = os.path.join(bundle.path, 'pid')
    log = os.path.join(bundle.path, 'log')
    with open(os.path.join(bundle.path, 'out'), 'w', encoding='utf-8') as out:
        made = subprocess.run([ORCH, 'runc', '--root', bundle.state, 'create', '--pid-file', pid_file, 'life'],
                              cwd=bundle.path, stdout=out, stderr=out, check=False)
    expect('create', made.returncode, 0)
    expect('status after create', bundle.status('life'), 'created')
    again = bundle.runc('--log', log, '--log-format', 'json', 'create', 'life')
    expect('create twice', again.returncode, 1)
    with open(log, encoding='utf-8') as file:
        expect('the log is JSON', json.loads(file.readline()), lambda line: 'already exists' in line['msg'] and line['level'] == 'error')
    expect('start', bundle.runc('start', 'life').returncode, 0)
    expect('status after start', bundle.status('life'), 'running')
    expect('start twice', bundle.runc('start', 'life').stderr, lambda text: 'already running' in text)
    with open(pid_file, encoding='utf-8') as file:
        pid = int(file.read())
    state = json.loads(bundle.runc('state', 'life').stdout)
    expect('pid', state['pid'], pid)
    expect('bundle', state['bundle'], bundle.path)
    expect('list', bundle.runc('list', '-q').stdout, 'life\n')
    expect('list as JSON', json.loads(bundle.runc('list', '-f', 'json').stdout)[0]['id'], 'life')
    expect('ps', json.loads(bundle.runc('ps', '--format', 'json', 'life').stdout), lambda pids: pid in pids)
    expect('ps as a table', bundle.runc('ps', 'life').stdout, lambda text: str(pid) in text and 'PID' in text)
    expect('exec', bundle.runc('exec', 'life', 'sh', '-c', 'echo $PWD; exit 5'), lambda done: done.stdout == '/\n' and done.returncode == 5)
    expect('exec of what is not there', bundle.runc('exec', 'life', 'nope'), lambda done: done.returncode == 255 and 'executable file not found in $PATH' in done.stderr)
    expect('exec as somebody', bundle.runc('exec', '-u', '33:44', '--cwd', '/tmp', '-e', 'A=b', 'life', 'sh', '-c', 'id -u; id -g; pwd; echo $A $HOME').stdout, '33\n44\n/tmp\nb /var/www\n')
    expect('delete of one that runs', bundle.runc('delete', 'life').stderr, lambda text: 'not stopped' in text)
    if os.path.exists(os.path.join(CGROUPS, 'life', 'cgroup.freeze')):
        expect('pause', bundle.runc('pause', 'life').returncode, 0)
        expect('status when paused', bundle.status('life'), 'paused')
        expect('exec in a paused one', bundle.runc('exec', 'life', 'true').stderr, lambda text: 'paused' in text)
        expect('resume', bundle.runc('resume', 'life').returncode, 0)
        expect('status after resume', bundle.status('life'), 'running')
        expect('events', json.loads(bundle.runc('events', '--stats', 'life').stdout)['data']['cpu']['usage']['total'], lambda ns: ns > 0)
    expect('kill', bundle.runc('kill', 'life', 'TERM').returncode, 0)
    expect('stopped', until(lambda: bundle.status('life') == 'stopped'), True)
    expect('kill of a stopped one', bundle.runc('kill', 'life').stderr, lambda text: 'container not running' in text)
    expect('delete', bundle.runc('delete', 'life').returncode, 0)
    expect('state of one that is gone', bundle.runc('state', 'life'), lambda done: done.returncode == 1 and 'does not exist' in done.stderr)
    expect('forced delete of one that is gone', bundle.runc('delete', '-f', 'life').returncode, 0)


def test_configuration(bundle):
    def change(**parts):
        def apply(config):
            for path, value in parts.items():
                node = config
                keys = path.split('__')
                for key in keys[:-1]:
                    node = node[key]
                node[keys[-1]] = value
        return apply

    expect('exit code', (bundle.write('sh', '-c', 'exit 7'), bundle.runc('run', 'x').returncode)[1], 7)
    expect('nothing to execute', (bundle.write('nope'), bundle.runc('run', 'x'))[1], lambda done: done.returncode == 1 and 'exec: \\"nope\\": executable file not found in $PATH' in done.stderr)
    expect('own namespaces', bundle.output('hostname; ls /proc | grep -c "^[0-9]"; cat /sys/class/net/*/operstate | wc -l'), lambda text: text.startswith('orch\n'))
    expect('pid 1', bundle.output('echo $$'), '1\n')
    expect('cgroup namespace', bundle.output('grep ^0:: /proc/self/cgroup'), '0::/\n')
    expect('read-only root', bundle.output('touch /x'), lambda text: 'Read-only' in text)
    expect('masked and read-only paths', bundle.output('wc -c < /proc/timer_list; echo 1 > /proc/sys/kernel/panic'), lambda text: text.startswith('0\n') and 'Read-only' in text)
    expect('capabilities', bundle.output('grep CapEff /proc/self/status'), 'CapEff:\t0000000020000420\n')
    expect('a user with groups', bundle.output('id -u; id -g; id -G; echo $HOME; echo x > /dev/stdout', change(process__user={'uid': 33, 'gid': 33, 'additionalGids': [5, 6]})), '33\n33\n33 5 6\n/var/www\nx\n')
    expect('limits', bundle.output('ulimit -n', change(process__rlimits=[{'type': 'RLIMIT_NOFILE', 'soft': 64, 'hard': 128}])), '64\n')
    expect('leaked descriptors', bundle.output('ls /proc/self/fd | wc -l'), '4\n')
    seccomp = {'defaultAction': 'SCMP_ACT_ALLOW', 'syscalls': [{'names': ['mkdir', 'mkdirat'], 'action': 'SCMP_ACT_ERRNO', 'errnoRet': 28}]}
    expect('seccomp', bundle.output('mkdir /tmp/a', change(linux__seccomp=seccomp)), lambda text: 'No space left' in text)
    expect('a wrong configuration', bundle.output('true', change(process__cwd='tmp')), lambda text: 'process.cwd' in text)
    mounts = bundle.base['mounts'] + [
        {'destination': '/data', 'type': 'bind', 'source': bundle.path, 'options': ['rbind', 'ro']},
        {'destination': '/etc', 'type': 'tmpfs', 'source': 'tmpfs', 'options': ['tmpcopyup']}]
    os.makedirs(os.path.join(bundle.rootfs, 'data'), exist_ok=True)
    expect('a volume', bundle.output('ls /data; touch /data/x; grep -c web /etc/passwd; touch /etc/new && echo writable', change(mounts=mounts)),
           lambda text: 'config.json' in text and 'Read-only' in text and '1\nwritable' in text)
    os.symlink('/', os.path.join(bundle.rootfs, 'climb'))
    escape = bundle.base['mounts'] + [{'destination': '/climb/tmp/escape', 'type': 'tmpfs', 'source': 'tmpfs'}]
    expect('a target through a symbolic link', bundle.output('ls -d /tmp/escape', change(mounts=escape)), '/tmp/escape\n')
    expect('stays inside', os.path.exists('/tmp/escape'), False)
    users = bundle.base['linux']['namespaces'] + [{'type': 'user'}]
    maps = [{'containerID': 0, 'hostID': 100000, 'size': 65536}]
    os.chmod(bundle.path, 0o755)
    os.chmod(os.path.dirname(bundle.path), 0o755)
    expect('a user namespace', bundle.output('id -u; cat /proc/self/uid_map', change(linux__namespaces=users, linux__uidMappings=maps, linux__gidMappings=maps)),
           lambda text: text.startswith('0\n') and '100000' in text)
    marks = os.path.join(bundle.path, 'marks')
    os.makedirs(marks, exist_ok=True)
    hook = os.path.join(bundle.path, 'hook')
    with open(hook, 'w', encoding='utf-8') as file:
        file.write(f'#!/bin/sh\ncat > {marks}/$1\nreadlink /proc/self/ns/uts > {marks}/$1.uts\n')
    os.chmod(hook, 0o755)
    kinds = ['prestart', 'createRuntime', 'createContainer', 'poststart', 'poststop']
    hooks = {kind: [{'path': hook, 'args': ['hook', kind]}] for kind in kinds}
    expect('a container with hooks', bundle.output('echo ran', change(hooks=hooks)), 'ran\n')
    for kind in kinds:
        with open(os.path.join(marks, kind), encoding='utf-8') as file:
            expect(f'state for {kind}', json.load(file)['id'], 'once')
    own = os.readlink('/proc/self/ns/uts')
    with open(os.path.join(marks, 'createContainer.uts'), encoding='utf-8') as file:
        expect('createContainer runs in the container', file.read().strip(), lambda name: name != own)
    with open(os.path.join(marks, 'createRuntime.uts'), encoding='utf-8') as file:
        expect('createRuntime runs outside', file.read().strip(), own)
    failing = {'prestart': [{'path': '/bin/sh', 'args': ['sh', '-c', 'echo no luck; exit 4']}]}
    expect('a hook that fails', bundle.output('true', change(hooks=failing)), lambda text: 'error running prestart hook #0: exit status 4: no luck' in text)
    expect('nothing is left', bundle.runc('list', '-q').stdout, '')


def test_terminal(bundle):
    bundle.write('sh', '-c', 'tty; test -t 0 && echo on a terminal; exit 4', change=lambda config: config['process'].update(terminal=True))
    output, code = on_terminal('sh', '-c', f'cd {bundle.path} && exec {ORCH} runc --root {bundle.state} run tty')
    expect('a terminal', (output.replace('\r', ''), code), ('/dev/pts/0\non a terminal\n', 4))
    expect('a terminal without a socket', bundle.runc('create', 'tty').stderr, lambda text: 'without setting console socket' in text)


class Podman:
    def __init__(self, work, bundle):
        self.work = os.path.join(work, 'podman')
        os.makedirs(self.work)
        link = os.path.join(self.work, 'orch-runc')
        os.symlink(ORCH, link)
        config = os.path.join(self.work, 'containers.conf')
        with open(config, 'w', encoding='utf-8') as file:
            file.write('[containers]\ndefault_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]\n'
                       '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "orch-runc"\n'
                       f'[engine.runtimes]\norch-runc = ["{link}"]\n')
        self.environment = dict(os.environ, CONTAINERS_CONF=config, TMPDIR=self.work)
        self.words = ['podman', '--root', f'{self.work}/storage', '--runroot', f'{self.work}/run', '--storage-driver', 'vfs',
                      '--tmpdir', f'{self.work}/tmp']
        archive = os.path.join(self.work, 'root.tar')
        run('tar', '-C', bundle.rootfs, '-cf', archive, '--exclude=./climb', '.')
        imported = self('import', archive, 'busybox')
        expect('podman import', imported.returncode, 0)

    def __call__(self, *words):
        return run(*self.words, *words, env=self.environment)

    def run(self, *words):
        return self('run', '--network', 'none', '--pull', 'never', *words)


def test_podman(work, bundle):
    if shutil.which('podman') is None:
        results['skipped'] += 1
        print('SKIP: no podman here; scripts/setup.sh --tests installs it')
        return
    podman = Podman(work, bundle)
    expect('true', podman.run('--rm', 'busybox', 'true').returncode, 0)
    expect('exit code', podman.run('--rm', 'busybox', 'sh', '-c', 'exit 7').returncode, 7)
    expect('not found', podman.run('--rm', 'busybox', 'nope').returncode, 127)
    expect('not executable', podman.run('--rm', 'busybox', '/etc/passwd').returncode, 126)
    expect('--user', podman.run('--rm', '--user', '33', 'busybox', 'id', '-u').stdout, '33\n')
    expect('--read-only', podman.run('--rm', '--read-only', 'busybox', 'sh', '-c', 'touch /x; touch /tmp/x && echo tmp').stdout, 'tmp\n')
    expect('--cap-drop', podman.run('--rm', '--cap-drop', 'all', 'busybox', 'grep', 'CapEff', '/proc/self/status').stdout, 'CapEff:\t0000000000000000\n')
    expect('seccomp', podman.run('--rm', 'busybox', 'grep', 'Seccomp:', '/proc/self/status').stdout, 'Seccomp:\t2\n')
    expect('--ulimit', podman.run('--rm', '--ulimit', 'nofile=100:200', 'busybox', 'sh', '-c', 'ulimit -n').stdout, '100\n')
    expect('a volume', podman.run('--rm', '-v', f'{bundle.path}:/data:ro', 'busybox', 'ls', '/data').stdout, lambda text: 'config.json' in text)
    expect('input', run('sh', '-c', 'echo in | "$@"', 'sh', *podman.words, 'run', '--rm', '-i', '--network', 'none', 'busybox', 'cat', env=podman.environment).stdout, 'in\n')
    expect('a sysctl', podman.run('--rm', '--sysctl', 'net.ipv4.ip_forward=1', 'busybox', 'cat', '/proc/sys/net/ipv4/ip_forward').stdout, '1\n')
    os.environ.update(podman.environment)
    output, code = on_terminal(*podman.words, 'run', '--rm', '-it', '--network', 'none', 'busybox', 'sh', '-c', 'test -t 0 && tty; exit 4')
    expect('-it', (output.replace('\r', ''), code), ('/dev/pts/0\n', 4))
    expect('-d', podman.run('-d', '--name', 'web', 'busybox', 'sh', '-c', 'trap "exit 3" TERM; while :; do sleep 0.05; done').returncode, 0)
    expect('ps', podman('ps', '--format', '{{.Names}}').stdout, 'web\n')
    expect('exec', podman('exec', 'web', 'sh', '-c', 'echo $0; exit 5'), lambda done: (done.stdout, done.returncode) == ('sh\n', 5))
    expect('exec of what is not there', podman('exec', 'web', 'nope').returncode, 127)
    expect('exec -it', on_terminal(*podman.words, 'exec', '-it', 'web', 'sh', '-c', 'tty; exit 6')[1], 6)
    expect('top', podman('top', 'web', 'pid').stdout, lambda text: '1' in text)
    expect('pause', podman('pause', 'web').returncode, 0)
    expect('paused', podman('inspect', 'web', '--format', '{{.State.Status}}').stdout, 'paused\n')
    expect('unpause', podman('unpause', 'web').returncode, 0)
    expect('stop', podman('stop', 'web').returncode, 0)
    expect('exit code after stop', podman('inspect', 'web', '--format', '{{.State.ExitCode}}').stdout, '3\n')
    expect('start again', podman('start', 'web').returncode, 0)
    expect('kill', podman('kill', '-s', 'KILL', 'web').returncode, 0)
    expect('wait', podman('wait', 'web').stdout, '137\n')
    expect('rm', podman('rm', 'web').returncode, 0)
    podman('rm', '-f', '-t', '0', '-a')
    expect('no mounts are left', [line for line in open('/proc/mounts', encoding='utf-8') if 'podman' in line and 'merged' in line], [])


def remove_cgroups(path):
    for parent, _, _ in os.walk(path, topdown=False):
        try:
            os.rmdir(parent)
        except OSError:
            pass


def main():
    if os.geteuid() != 0:
        print('SKIP: needs root')
        print('0 passed, 0 failed, 1 skipped')
        return
    enter_namespace()
    mount_cgroups()
    before = os.path.isdir(os.path.join(CGROUPS, 'libpod_parent'))
    work = tempfile.mkdtemp(prefix='orch-runc-')
    try:
        bundle = Bundle(work)
        test_life(bundle)
        test_configuration(bundle)
        test_terminal(bundle)
        test_podman(work, bundle)
        if not before:
            expect('podman\'s cgroups can be removed', until(lambda: remove_cgroups(os.path.join(CGROUPS, 'libpod_parent')) or not os.path.isdir(os.path.join(CGROUPS, 'libpod_parent'))), True)
        expect('no cgroup of ours is left', [name for name in ('life', 'once', 'x', 'tty') if os.path.isdir(os.path.join(CGROUPS, name))], [])
    finally:
        shutil.rmtree(work, ignore_errors=True)
    print(f"{results['passed']} passed, {results['failed']} failed, {results['skipped']} skipped")
    sys.exit(1 if results['failed'] else 0)


main()
