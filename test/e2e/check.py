#!/usr/bin/env python3
"""`orch check` on this machine: what it finds is what other tools find, and it leaves nothing behind."""
import json
import os
import subprocess
import sys

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), '..', '..'))
ORCH = os.environ.get('ORCH_BIN', os.path.join(ROOT, 'build', 'orch'))
failed = 0
passed = 0


def expect(what, good, shown=''):
    global passed, failed
    if good:
        passed += 1
    else:
        failed += 1
        print(f'FAILED {what}: {shown}')


def run(*words):
    return subprocess.run([ORCH, 'check', *words], capture_output=True, text=True, timeout=60, check=False)


def mounts():
    with open('/proc/self/mountinfo', encoding='utf-8') as file:
        return file.read()


before = mounts()
report = run('--data-dir', '/nonexistent')
facts = json.loads(run('-o', 'facts', '--data-dir', '/nonexistent').stdout)
expect('the kernel', facts['kernel'] == os.uname().release, facts['kernel'])
expect('a sentence at the end', report.stdout.strip().split('\n')[-1].startswith('Pods can'), report.stdout)
missing = 'missing' in report.stdout.split()
expect('the exit status', report.returncode == (1 if missing else 0), f'{report.returncode}\n{report.stdout}')
lines = report.stdout.split('\n')
gaps = [i for i, line in enumerate(lines) if line.startswith(('gap', 'missing'))]
expect('each gap has its fix', all(lines[i + 1].strip().startswith('fix: ') for i in gaps), report.stdout)
if os.geteuid() == 0:
    overlay = subprocess.run(['unshare', '-m', 'sh', '-c', 'mount -t tmpfs t /tmp && cd /tmp && mkdir l u w m && mount -t overlay o -o lowerdir=l,upperdir=u,workdir=w m'],
                             capture_output=True, check=False).returncode
    expect('overlayfs as mount(8) finds it', (overlay == 0) == (facts['overlay'] == 0), facts['overlay'])
    for kind in ('veth', 'bridge', 'vxlan'):
        extra = ['id', '1', 'dstport', '4789'] if kind == 'vxlan' else []
        made = subprocess.run(['unshare', '-n', 'ip', 'link', 'add', 'trial0', 'type', kind, *extra], capture_output=True, check=False).returncode
        expect(f'{kind} as ip(8) finds it', (made == 0) == (facts['network'][kind] == 0), facts['network'][kind])
    user = subprocess.run(['unshare', '-U', 'true'], capture_output=True, check=False).returncode
    expect('user namespaces as unshare(1) finds them', (user == 0) == (facts['namespaces']['user'] == 0), facts['namespaces'])
expect('no mount is left', mounts() == before)
expect('wrong usage', run('-o', 'moon').returncode == 2)
print(f'{passed} passed, {failed} failed')
sys.exit(1 if failed else 0)
