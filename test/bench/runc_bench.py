#!/usr/bin/env python3
"""`run /bin/true` of a bundle (create, start, wait, delete) beside Debian's crun and runc, one after the other in each
round, so that what else the machine does hits all of them alike."""
import json
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from report import median, row, say, timed  # noqa: E402

ROUNDS = 60
ORCH = os.path.abspath(os.environ['ORCH_BIN'])


def enter_namespace():
    """crun refuses a host with cgroup v1 mounted beside v2: a mount namespace with v2 alone."""
    if os.environ.get('ORCH_BENCH_INSIDE') != 'yes':
        os.environ['ORCH_BENCH_INSIDE'] = 'yes'
        os.execvp('unshare', ['unshare', '-m', sys.executable, os.path.abspath(__file__)])
    subprocess.run(['umount', '-R', '/sys/fs/cgroup'], check=False, stderr=subprocess.DEVNULL)
    subprocess.run(['mount', '-t', 'cgroup2', 'cgroup2', '/sys/fs/cgroup'], check=True)


def make_bundle(path):
    os.makedirs(os.path.join(path, 'rootfs', 'bin'))
    for name in ('proc', 'dev', 'sys', 'etc'):
        os.makedirs(os.path.join(path, 'rootfs', name))
    shutil.copy('/bin/busybox', os.path.join(path, 'rootfs', 'bin', 'true'))
    subprocess.run([ORCH, 'runc', 'spec', '--bundle', path], check=True)
    file = os.path.join(path, 'config.json')
    with open(file, encoding='utf-8') as text:
        config = json.load(text)
    config['process']['terminal'] = False
    config['process']['args'] = ['/bin/true']
    del config['process']['rlimits']  # more than this machine's own may be refused, and runc gives up then
    config['ociVersion'] = '1.0.2'    # what Debian's runc and crun know
    with open(file, 'w', encoding='utf-8') as text:
        json.dump(config, text)


def main():
    if os.geteuid() != 0 or not os.path.exists('/bin/busybox'):
        say('SKIP: needs root and busybox-static')
        return
    enter_namespace()
    work = tempfile.mkdtemp(prefix='orch-bench-')
    try:
        bundle = os.path.join(work, 'bundle')
        make_bundle(bundle)
        runtimes = {'orch': [ORCH, 'runc'], 'orch without a cgroup': [ORCH, 'runc', '--cgroup-manager=disabled']}
        for name in ('crun', 'runc'):
            if shutil.which(name):
                # crun raises RLIMIT_MEMLOCK for its device filter, which a nested container may not: without a cgroup.
                runtimes[name] = [name, '--cgroup-manager=disabled'] if name == 'crun' else [name]
            else:
                say(f'{name} is not here')
        samples = {name: [] for name in runtimes}

        def once(name):
            done = subprocess.run([*runtimes[name], '--root', os.path.join(work, name.replace(' ', '-')), 'run', 'bench-' + name.replace(' ', '-')], cwd=bundle,
                                  stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f'{name}: exit {done.returncode} {done.stderr}')

        for name in list(runtimes):
            try:
                once(name)
            except RuntimeError as error:
                say(f'{name} does not run here: {error}')
                del runtimes[name]
        for _ in range(ROUNDS):
            for name in runtimes:
                samples[name].append(timed(once, name))
        figures = {name: round(median(values), 2) if values else None for name, values in samples.items()}
        row('run /bin/true', 'ms', figures['orch'], {'runc': figures.get('runc')}, samples=ROUNDS)
        row('run /bin/true, without a cgroup', 'ms', figures['orch without a cgroup'], {'crun': figures.get('crun')},
            goal=figures.get('crun'), samples=ROUNDS)
    finally:
        shutil.rmtree(work, ignore_errors=True)


main()
