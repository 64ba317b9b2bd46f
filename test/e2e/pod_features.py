#!/usr/bin/env python3
"""What a pod can be made of, on real containers with a real kubectl: environment of every source, each kind of volume and
its live updates, each kind of probe, hooks, users, read-only roots, init containers, sidecars, account tokens."""
import base64
import json
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import BUSYBOX, Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

IMAGE = f'image: {BUSYBOX}, imagePullPolicy: IfNotPresent'
SLEEP = "trap 'exit 0' TERM; while true; do sleep 0.1; done"


def pod(name, container, spec='', more='', metadata=''):
    """`container`: the fields of the main one, indented by eight; `spec` by two; `more` containers by two."""
    return f"""
apiVersion: v1
kind: Pod
metadata: {{name: {name}{metadata}}}
spec:
  terminationGracePeriodSeconds: 3
{spec}
  containers:
  - name: main
    image: {BUSYBOX}
    imagePullPolicy: IfNotPresent
{container}
{more}
"""


class Features:
    def __init__(self, node):
        self.node = node
        self.kubectl_path = newest_kubectl()

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(self.kubectl_path, *arguments, **options)

    def apply(self, text):
        self.kubectl('apply', '-f', '-', stdin=text)

    def exec(self, name, script, container='main'):
        return self.kubectl('exec', name, '-c', container, '--', 'sh', '-c', script).stdout

    def status(self, name):
        return (self.node.get('pod', name) or {}).get('status', {})

    def is_ready(self, name):
        return any(c['type'] == 'Ready' and c['status'] == 'True' for c in self.status(name).get('conditions', []))

    def wait_pod(self, name, timeout=20):
        try:
            wait_for(lambda: self.is_ready(name), f'{name} to be Ready', timeout)
        except AssertionError as error:
            raise AssertionError(f'{error}\n' + self.kubectl('describe', 'pod', name).stdout) from None

    def run(self, name, *arguments, **options):
        self.apply(pod(name, *arguments, **options))
        self.wait_pod(name)

    def delete(self, *names):
        self.kubectl('delete', 'pod', *names, '--wait=true')

    def terminated(self, name, timeout=20):
        def ended():
            statuses = self.status(name).get('containerStatuses') or [{}]
            return statuses[0].get('state', {}).get('terminated')
        wait_for(ended, f'{name} to end', timeout)
        return ended()

    def sources(self):
        self.apply("""
apiVersion: v1
kind: ConfigMap
metadata: {name: conf}
data: {color: blue, file.txt: "one\\n"}
---
apiVersion: v1
kind: Secret
metadata: {name: hush}
stringData: {password: "s3cret"}
""")

    def environment(self):
        self.run('env', """
    command: [sh, -c, "echo '$(BOTH)' '$$(BOTH)'; trap 'exit 0' TERM; while true; do sleep 0.1; done"]
    resources: {limits: {cpu: 1500m, memory: 64Mi}, requests: {cpu: 10m, memory: 32Mi}}
    envFrom:
    - {prefix: C_, configMapRef: {name: conf}}
    - secretRef: {name: hush}
    - configMapRef: {name: absent, optional: true}
    env:
    - {name: COLOR, valueFrom: {configMapKeyRef: {name: conf, key: color}}}
    - {name: WORD, valueFrom: {secretKeyRef: {name: hush, key: password}}}
    - {name: NONE, valueFrom: {secretKeyRef: {name: hush, key: absent, optional: true}}}
    - {name: NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
    - {name: IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
    - {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
    - {name: LABEL, valueFrom: {fieldRef: {fieldPath: "metadata.labels['tier']"}}}
    - {name: CPU, valueFrom: {resourceFieldRef: {resource: limits.cpu}}}
    - {name: MILLI, valueFrom: {resourceFieldRef: {resource: requests.cpu, divisor: 1m}}}
    - {name: MEM, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: 1Mi}}}
    - {name: BOTH, value: "$(COLOR)-$(WORD)-$(UNKNOWN)-$$(COLOR)"}
""", metadata=', labels: {tier: front}')
        env = dict(line.split('=', 1) for line in self.exec('env', 'env').splitlines() if '=' in line)
        ip = self.status('env')['podIP']
        expected = {'COLOR': 'blue', 'C_color': 'blue', 'password': 's3cret', 'WORD': 's3cret', 'NAME': 'env', 'IP': ip, 'NODE': 'node-1',
                    'LABEL': 'front', 'CPU': '2', 'MILLI': '10', 'MEM': '64', 'BOTH': 'blue-s3cret-$(UNKNOWN)-$(COLOR)',
                    'HOSTNAME': 'env', 'KUBERNETES_SERVICE_HOST': '10.43.0.1', 'KUBERNETES_SERVICE_PORT': '443'}
        wrong = {key: (value, env.get(key)) for key, value in expected.items() if env.get(key) != value}
        assert not wrong, wrong
        assert 'NONE' not in env
        assert self.kubectl('logs', 'env').stdout == 'blue-s3cret-$(UNKNOWN)-$(COLOR) $(BOTH)\n'
        self.delete('env')

    def volumes(self):
        self.run('vols', f"""
    command: [sh, -c, "{SLEEP}"]
    volumeMounts:
    - {{name: scratch, mountPath: /scratch}}
    - {{name: memory, mountPath: /memory}}
    - {{name: conf, mountPath: /conf}}
    - {{name: hush, mountPath: /hush, readOnly: true}}
    - {{name: down, mountPath: /down}}
    - {{name: all, mountPath: /all}}
    - {{name: host, mountPath: /host}}
    - {{name: conf, mountPath: /one.txt, subPath: file.txt}}
    - {{name: scratch, mountPath: /sub, subPathExpr: "$(NAME)/deep"}}
    env: [{{name: NAME, valueFrom: {{fieldRef: {{fieldPath: metadata.name}}}}}}]
""", spec=f"""
  volumes:
  - {{name: scratch, emptyDir: {{}}}}
  - {{name: memory, emptyDir: {{medium: Memory, sizeLimit: 1Mi}}}}
  - {{name: conf, configMap: {{name: conf, defaultMode: 0640}}}}
  - {{name: hush, secret: {{secretName: hush, items: [{{key: password, path: deep/word, mode: 0400}}]}}}}
  - {{name: down, downwardAPI: {{items: [{{path: labels, fieldRef: {{fieldPath: metadata.labels}}}}]}}}}
  - name: all
    projected:
      sources:
      - configMap: {{name: conf, items: [{{key: color, path: color}}]}}
      - secret: {{name: hush}}
      - downwardAPI: {{items: [{{path: name, fieldRef: {{fieldPath: metadata.name}}}}]}}
  - {{name: host, hostPath: {{path: {self.node.data_dir}/shared, type: DirectoryOrCreate}}}}
""", metadata=', labels: {tier: front}')
        assert self.exec('vols', 'cat /conf/file.txt /one.txt') == 'one\none\n'
        assert self.exec('vols', 'stat -L -c %a /conf/file.txt /hush/deep/word').split() == ['640', '400']
        assert self.exec('vols', 'cat /hush/deep/word') == 's3cret'
        assert self.exec('vols', 'cat /down/labels') == 'tier="front"'
        assert self.exec('vols', 'cat /all/color /all/password /all/name') == 'blues3cretvols'
        assert 'tmpfs' in self.exec('vols', 'mount | grep " /memory "')
        assert self.kubectl('exec', 'vols', '--', 'sh', '-c', 'head -c 3000000 /dev/zero > /memory/x', check=False).returncode != 0
        assert self.kubectl('exec', 'vols', '--', 'sh', '-c', 'echo x > /hush/y', check=False).returncode != 0
        self.exec('vols', 'echo hi > /host/from-pod; echo low > /sub/file')
        assert self.exec('vols', 'cat /scratch/vols/deep/file') == 'low\n'
        with open(f'{self.node.data_dir}/shared/from-pod', encoding='utf-8') as file:
            assert file.read() == 'hi\n'

    def live_updates(self):
        self.kubectl('patch', 'configmap', 'conf', '--type=merge', '-p', '{"data":{"color":"red","file.txt":"two\\n"}}')
        self.kubectl('label', 'pod', 'vols', 'tier=back', '--overwrite')
        begun = time.monotonic()
        wait_for(lambda: self.exec('vols', 'cat /conf/file.txt /all/color /down/labels') == 'two\nredtier="back"', 'new contents', 20)
        print(f'    seen after {time.monotonic() - begun:.2f} s')
        assert self.exec('vols', 'readlink /conf/file.txt') == '..data/file.txt\n'
        # A subPath is a mount of one file: it stays as it was, as with kubelet.
        assert self.exec('vols', 'cat /one.txt') == 'one\n'
        self.delete('vols')

    def account_token(self):
        self.run('token', f"""
    command: [sh, -c, "{SLEEP}"]
""")
        place = '/var/run/secrets/kubernetes.io/serviceaccount'
        assert self.exec('token', f'cat {place}/namespace') == 'default'
        assert 'BEGIN CERTIFICATE' in self.exec('token', f'cat {place}/ca.crt')
        token = self.exec('token', f'cat {place}/token')
        claims = json.loads(base64.urlsafe_b64decode(token.split('.')[1] + '=='))
        assert claims['sub'] == 'system:serviceaccount:default:default', claims
        assert claims['kubernetes.io']['pod']['name'] == 'token', claims
        assert claims['exp'] - claims['iat'] == 3607, claims
        review = json.dumps({'apiVersion': 'authentication.k8s.io/v1', 'kind': 'TokenReview', 'spec': {'token': token}})
        answer = json.loads(self.kubectl('create', '--validate=false', '-o', 'json', '-f', '-', stdin=review).stdout)
        assert answer['status']['authenticated'], answer
        self.delete('token')
        answer = json.loads(self.kubectl('create', '--validate=false', '-o', 'json', '-f', '-', stdin=review).stdout)
        assert not answer['status'].get('authenticated'), answer

    def probes(self):
        self.run('probes', """
    command: [sh, -c, "mkdir -p /www; echo ok > /www/index.html; sleep 1; touch /started; exec httpd -f -p 8080 -h /www"]
    ports: [{name: web, containerPort: 8080}]
    startupProbe: {exec: {command: [test, -e, /started]}, periodSeconds: 1, failureThreshold: 20}
    readinessProbe: {httpGet: {port: web, path: /index.html}, periodSeconds: 1, failureThreshold: 1}
    livenessProbe: {tcpSocket: {port: 8080}, periodSeconds: 1}
""")
        assert 'Startup probe failed' in self.kubectl('describe', 'pod', 'probes').stdout
        self.exec('probes', 'mv /www/index.html /www/away.html')
        wait_for(lambda: not self.is_ready('probes'), 'it not to be ready', 10)
        wait_for(lambda: 'Readiness probe failed: HTTP probe failed with statuscode: 404' in self.kubectl('describe', 'pod', 'probes').stdout,
                 'the event', 10)
        self.exec('probes', 'mv /www/away.html /www/index.html')
        self.wait_pod('probes')
        assert self.status('probes')['containerStatuses'][0]['restartCount'] == 0
        self.delete('probes')

    def liveness(self):
        self.run('lively', f"""
    command: [sh, -c, "touch /alive; {SLEEP}"]
    livenessProbe: {{exec: {{command: [cat, /alive]}}, periodSeconds: 1, failureThreshold: 2}}
""")
        self.exec('lively', 'rm /alive')
        wait_for(lambda: self.status('lively')['containerStatuses'][0]['restartCount'] == 1, 'a restart', 20)
        text = self.kubectl('describe', 'pod', 'lively').stdout
        assert "Liveness probe failed: cat: can't open '/alive': No such file or directory" in text, text
        assert 'Container main failed liveness probe, will be restarted' in text, text
        self.delete('lively')

    def hooks(self):
        self.run('hooks', f"""
    command: [sh, -c, "{SLEEP}"]
    volumeMounts: [{{name: host, mountPath: /host}}]
    lifecycle:
      postStart: {{exec: {{command: [sh, -c, "echo started > /host/post-start"]}}}}
      preStop: {{exec: {{command: [sh, -c, "echo stopping > /host/pre-stop"]}}}}
""", spec=f"""
  volumes: [{{name: host, hostPath: {{path: {self.node.data_dir}/shared}}}}]
""")
        assert os.path.exists(f'{self.node.data_dir}/shared/post-start')
        assert not os.path.exists(f'{self.node.data_dir}/shared/pre-stop')
        self.delete('hooks')
        assert os.path.exists(f'{self.node.data_dir}/shared/pre-stop')

    def users(self):
        self.run('users', f"""
    command: [sh, -c, "{SLEEP}"]
    securityContext: {{runAsUser: 1000, readOnlyRootFilesystem: true, allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
    volumeMounts: [{{name: scratch, mountPath: /scratch}}, {{name: conf, mountPath: /conf}}]
""", spec="""
  securityContext: {fsGroup: 3000, supplementalGroups: [4000], runAsNonRoot: true}
  hostAliases: [{ip: 192.0.2.9, hostnames: [friend, friend.example]}]
  volumes: [{name: scratch, emptyDir: {}}, {name: conf, configMap: {name: conf, defaultMode: 0400}}]
""")
        assert self.exec('users', 'id -u; id -g').split() == ['1000', '1000'] or self.exec('users', 'id -u; id -g').split() == ['1000', '0']
        groups = self.exec('users', 'id -G').split()
        assert '3000' in groups and '4000' in groups, groups
        assert self.exec('users', 'echo x > /scratch/f; stat -c %g /scratch/f') == '3000\n'
        assert self.exec('users', 'cat /conf/color') == 'red'
        assert self.kubectl('exec', 'users', '--', 'sh', '-c', 'echo x > /root-file', check=False).returncode != 0
        status = self.exec('users', 'grep -E "CapEff|CapBnd|NoNewPrivs|Seccomp:" /proc/1/status').split()
        assert status == ['CapBnd:', '0000000000000000', 'CapEff:', '0000000000000000', 'NoNewPrivs:', '1', 'Seccomp:', '2'] or \
            dict(zip(status[::2], status[1::2])) == {'CapEff:': '0' * 16, 'CapBnd:': '0' * 16, 'NoNewPrivs:': '1', 'Seccomp:': '2'}, status
        assert '192.0.2.9\tfriend\tfriend.example' in self.exec('users', 'cat /etc/hosts')
        self.delete('users')

    def names(self):
        self.run('names', f"""
    command: [sh, -c, "{SLEEP}"]
""", spec="""
  hostname: bob
  subdomain: club
  dnsConfig: {options: [{name: ndots, value: '2'}], searches: [example.org]}
""")
        assert self.exec('names', 'hostname') == 'bob\n'
        assert 'bob.club.default.svc.cluster.local\tbob' in self.exec('names', 'cat /etc/hosts')
        conf = self.exec('names', 'cat /etc/resolv.conf')
        assert 'nameserver 10.43.0.10\n' in conf and 'search default.svc.cluster.local svc.cluster.local cluster.local' in conf, conf
        assert 'options ndots:2' in conf and 'example.org' in conf, conf
        self.delete('names')

    def order(self):
        self.run('order', f"""
    command: [sh, -c, "cat /work/log; {SLEEP}"]
    volumeMounts: [{{name: work, mountPath: /work}}]
""", spec=f"""
  shareProcessNamespace: true
  volumes: [{{name: work, emptyDir: {{}}}}]
  initContainers:
  - {{name: first, {IMAGE}, command: [sh, -c, "echo first >> /work/log"], volumeMounts: [{{name: work, mountPath: /work}}]}}
  - name: side
    image: {BUSYBOX}
    imagePullPolicy: IfNotPresent
    restartPolicy: Always
    command: [sh, -c, "echo side >> /work/log; touch /ready; {SLEEP}"]
    startupProbe: {{exec: {{command: [test, -e, /ready]}}, periodSeconds: 1}}
    volumeMounts: [{{name: work, mountPath: /work}}]
  - {{name: second, {IMAGE}, command: [sh, -c, "echo second >> /work/log"], volumeMounts: [{{name: work, mountPath: /work}}]}}
""", more=f"""
  - {{name: other, {IMAGE}, command: [sh, -c, "exec sleep 1000"]}}
""")
        assert self.kubectl('logs', 'order', '-c', 'main').stdout == 'first\nside\nsecond\n'
        assert 'sleep 1000' in self.exec('order', 'ps')
        self.delete('order')

    def messages(self):
        self.apply(pod('message', """
    command: [sh, -c, "echo because > /dev/termination-log; exit 3"]
""", spec='  restartPolicy: Never'))
        ended = self.terminated('message')
        assert ended['exitCode'] == 3 and ended['message'] == 'because\n', ended
        self.delete('message')

    def nothing_left(self):
        self.kubectl('delete', 'configmap/conf', 'secret/hush')
        wait_for(lambda: self.node.leftovers() == [], 'nothing to be left', 10)


def main():
    reason = why_not()
    if reason:
        print(f'SKIP: {reason}')
        return 0
    report = Report()
    with Node() as node:
        node.wait_ready()
        node.import_busybox()
        features = Features(node)
        for name in ('sources', 'environment', 'volumes', 'live_updates', 'account_token', 'probes', 'liveness', 'hooks', 'users', 'names',
                     'order', 'messages', 'nothing_left'):
            report.case(name.replace('_', ' '), getattr(features, name))
        if report.failed:
            print(node.log()[-8000:])
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
