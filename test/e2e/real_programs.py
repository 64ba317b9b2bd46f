#!/usr/bin/env python3
"""Real programs of Debian as images (scripts/test-images.py) on a node of the test's own: nginx, Redis, PostgreSQL, a Python
web application and busybox, with Services, probes, volumes, Secrets and ConfigMaps; each is talked to with its own
client, killed once, and deleted; nothing is left."""
import json
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from node import ROOT, Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

KUBECTL = newest_kubectl()
NAMESPACE = 'real'

MANIFEST = '''
apiVersion: v1
kind: Namespace
metadata: {name: real}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: site, namespace: real}
data:
  index.html: "<p>from a ConfigMap</p>"
  greeting: good day
---
apiVersion: v1
kind: Secret
metadata: {name: database, namespace: real}
stringData: {password: s3cret}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: nginx, namespace: real}
spec:
  replicas: 2
  selector: {matchLabels: {app: nginx}}
  template:
    metadata: {labels: {app: nginx}}
    spec:
      terminationGracePeriodSeconds: 5
      containers:
      - name: nginx
        image: nginx:1.22
        imagePullPolicy: Never
        ports: [{containerPort: 80, name: http}]
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
        livenessProbe: {httpGet: {path: /healthz, port: 80}, periodSeconds: 2}
        volumeMounts: [{name: site, mountPath: /usr/share/nginx/html}]
      volumes:
      - name: site
        configMap: {name: site, items: [{key: index.html, path: index.html}]}
---
apiVersion: v1
kind: Service
metadata: {name: nginx, namespace: real}
spec: {selector: {app: nginx}, ports: [{port: 80, targetPort: http}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: redis, namespace: real}
spec:
  selector: {matchLabels: {app: redis}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: redis}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {fsGroup: 100}
      containers:
      - name: redis
        image: docker.io/library/redis:7
        imagePullPolicy: IfNotPresent
        ports: [{containerPort: 6379}]
        readinessProbe: {tcpSocket: {port: 6379}, periodSeconds: 1}
        livenessProbe: {exec: {command: [redis-cli, ping]}, periodSeconds: 2, timeoutSeconds: 5}
        volumeMounts: [{name: data, mountPath: /data}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: redis, namespace: real}
spec: {selector: {app: redis}, ports: [{port: 6379}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: postgres, namespace: real}
spec:
  selector: {matchLabels: {app: postgres}}
  strategy: {type: Recreate}
  template:
    metadata: {labels: {app: postgres}}
    spec:
      terminationGracePeriodSeconds: 10
      securityContext: {runAsUser: 101, runAsGroup: 101, fsGroup: 101}
      containers:
      - name: postgres
        image: postgres:15
        imagePullPolicy: Never
        args: [-c, fsync=off]
        env:
        - {name: POSTGRES_PASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}
        - {name: PGDATA, value: /database/data}
        ports: [{containerPort: 5432}]
        startupProbe: {exec: {command: [pg_isready, -h, 127.0.0.1]}, periodSeconds: 1, failureThreshold: 60}
        readinessProbe: {exec: {command: [pg_isready, -h, 127.0.0.1]}, periodSeconds: 2, timeoutSeconds: 5}
        volumeMounts: [{name: data, mountPath: /database}]
      volumes: [{name: data, emptyDir: {}}]
---
apiVersion: v1
kind: Service
metadata: {name: postgres, namespace: real}
spec: {selector: {app: postgres}, ports: [{port: 5432}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: real}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 5
      initContainers:
      - name: first-note
        image: busybox
        imagePullPolicy: Never
        command: [sh, -c, 'echo from init >/notes/first; chown 33 /notes/first']
        volumeMounts: [{name: notes, mountPath: /notes}]
      containers:
      - name: web
        image: registry.example/python-web:1
        imagePullPolicy: Never
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: GREETING, valueFrom: {configMapKeyRef: {name: site, key: greeting}}}
        ports: [{containerPort: 8000}]
        readinessProbe: {httpGet: {path: /healthz, port: 8000}, periodSeconds: 1}
        volumeMounts: [{name: notes, mountPath: /notes}]
      volumes: [{name: notes, emptyDir: {medium: Memory}}]
---
apiVersion: v1
kind: Service
metadata: {name: web, namespace: real}
spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8000}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client, namespace: real}
spec:
  terminationGracePeriodSeconds: 1
  containers:
  - {name: busybox, image: busybox, imagePullPolicy: Never, command: [sleep, "100000"]}
  - {name: redis, image: 'redis:7', imagePullPolicy: Never, command: [sleep, "100000"]}
  - name: postgres
    image: postgres:15
    imagePullPolicy: Never
    command: [sleep, "100000"]
    env: [{name: PGPASSWORD, valueFrom: {secretKeyRef: {name: database, key: password}}}]
'''


class World:
    def __init__(self, node):
        self.node = node

    def kubectl(self, *arguments, **options):
        return self.node.kubectl(KUBECTL, '-n', NAMESPACE, *arguments, **options)

    def execute(self, pod, container, *command, **options):
        return self.kubectl('exec', pod, '-c', container, '--', *command, **options).stdout

    def cluster_ip(self, service):
        return self.node.get('service', service, NAMESPACE)['spec']['clusterIP']

    def pods(self, app):
        listed = self.node.get('pods', namespace=NAMESPACE)['items']
        return [pod for pod in listed if pod['metadata'].get('labels', {}).get('app') == app]

    def curl(self, *arguments):
        return self.node.run(['curl', '-sS', '--fail', '--max-time', '10', *arguments]).stdout

    def restarts(self, app):
        return sum(status['restartCount'] for pod in self.pods(app) for status in pod['status'].get('containerStatuses', []))


def case_import(world):
    listed = subprocess.run([os.path.join(ROOT, 'scripts', 'test-images.py')], capture_output=True, text=True, check=True, timeout=500)
    images = [line.split(' ', 1) for line in listed.stdout.splitlines()]
    assert len(images) == 5, listed
    for name, path in images:
        named = ['--name', name] if 'busybox' in name else []
        world.node.orch('image', 'import', path, *named, '--data-dir', world.node.data_dir)
    shown = world.node.orch('image', 'ls', '--data-dir', world.node.data_dir).stdout
    for name, _ in images:
        assert name.rsplit(':', 1)[0] in shown, shown


def case_ready(world):
    world.node.kubectl(KUBECTL, 'apply', '-f', '-', stdin=MANIFEST)
    for deployment in ('nginx', 'redis', 'postgres', 'web'):
        world.kubectl('rollout', 'status', f'deployment/{deployment}', '--timeout=120s', timeout=130)
    world.kubectl('wait', '--for=condition=Ready', 'pod/client', '--timeout=60s', timeout=70)
    assert world.restarts('nginx') == world.restarts('web') == world.restarts('postgres') == 0


def case_nginx(world):
    page = world.curl(f'http://{world.cluster_ip("nginx")}/')
    assert 'from a ConfigMap' in page, page
    page = world.execute('client', 'busybox', 'wget', '-q', '-O', '-', 'http://nginx/')
    assert 'from a ConfigMap' in page, page
    logs = ''.join(world.kubectl('logs', pod['metadata']['name']).stdout for pod in world.pods('nginx'))
    assert 'GET / HTTP/1.1' in logs, logs[-500:]


def case_redis(world):
    redis = ('client', 'redis', 'redis-cli', '-h', 'redis.real.svc.cluster.local')
    assert world.execute(*redis, 'set', 'k', 'kept').strip() == 'OK'
    assert world.execute(*redis, 'save').strip() == 'OK'
    assert world.execute(*redis, 'get', 'k').strip() == 'kept'


def case_redis_killed(world):
    """Its volume outlives the container."""
    before = world.restarts('redis')
    pod = world.pods('redis')[0]['metadata']['name']
    world.execute(pod, 'redis', 'redis-cli', 'shutdown', 'nosave', check=False)
    wait_for(lambda: world.restarts('redis') > before, 'redis to be started again', 60)
    world.kubectl('rollout', 'status', 'deployment/redis', '--timeout=60s', timeout=70)
    def kept():
        return world.execute('client', 'redis', 'redis-cli', '-h', 'redis', 'get', 'k', check=False).strip() == 'kept'
    wait_for(kept, 'redis to have its data again', 30)
    assert world.pods('redis')[0]['metadata']['name'] == pod


def case_postgres(world):
    psql = ('client', 'postgres', 'psql', '-h', 'postgres', '-U', 'postgres', '-At', '-c')
    world.execute(*psql, 'create table t (n int, word text)')
    world.execute(*psql, "insert into t select n, 'word ' || n from generate_series(1, 10000) n")
    assert world.execute(*psql, 'select count(*), max(word) from t').strip() == '10000|word 9999'
    denied = world.kubectl('exec', 'client', '-c', 'postgres', '--', 'env', 'PGPASSWORD=wrong', *psql[2:], 'select 1', check=False)
    assert denied.returncode != 0 and 'password authentication failed' in denied.stderr, denied
    pod = world.pods('postgres')[0]['metadata']['name']
    owner = world.execute(pod, 'postgres', 'stat', '-c', '%u %g %a', '/database/data').strip()
    assert owner.split()[0] == '101', owner


def case_web(world):
    address = world.cluster_ip('web')
    pages = {world.curl(f'http://{address}/') for _ in range(20)}
    names = {pod['metadata']['name'] for pod in world.pods('web')}
    assert all('good day' in page and any(name in page for name in names) for page in pages), pages
    assert len(pages) == 2, pages  # both pods answer
    assert world.curl('--data-binary', 'x' * 100000, f'http://{address}/echo') == 'x' * 100000
    pod = world.pods('web')[0]
    own = f'http://{pod["status"]["podIP"]}:8000/notes/'
    assert world.curl(own + 'first') == 'from init\n'
    world.curl('-X', 'PUT', '--data-binary', 'noted', own + 'second')
    assert world.curl(own + 'second') == 'noted'
    assert world.execute(pod['metadata']['name'], 'web', 'cat', '/notes/second') == 'noted'


def case_images_are_used(world):
    done = world.node.orch('image', 'rm', 'nginx:1.22', '--data-dir', world.node.data_dir, check=False)
    assert done.returncode == 1 and 'is used by a container' in done.stderr, done
    assert 'nginx' not in world.node.orch('image', 'prune', '--data-dir', world.node.data_dir).stdout


def case_deleted(world):
    world.node.kubectl(KUBECTL, 'delete', 'namespace', NAMESPACE, '--timeout=120s', timeout=130)
    def clean():
        return not world.node.leftovers()
    try:
        wait_for(clean, 'nothing to be left', 60)
    except AssertionError as problem:
        raise AssertionError(f'{problem}: {world.node.leftovers()[:10]}') from None


def case_images_go(world):
    def pruned():
        world.node.orch('image', 'prune', '--data-dir', world.node.data_dir)
        return json.loads(world.node.orch('image', 'ls', '-o', 'json', '--data-dir', world.node.data_dir).stdout)['images'] == []
    wait_for(pruned, 'all images to be removed', 30)
    assert os.listdir(f'{world.node.data_dir}/agent/images/layers') == []


def main():
    report = Report()
    reason = why_not() or ('' if KUBECTL else 'no kubectl') or ('' if shutil.which('curl') else 'no curl')
    if reason:
        report.skip('real programs', reason)
        return report.finish()
    with Node() as node:
        if not os.path.exists(f'{node.data_dir}/orch.sock'):
            report.skip('real programs', 'this orch has no node agent')
            return report.finish()
        node.wait_ready()
        world = World(node)
        cases = [('the images are imported', case_import), ('everything becomes ready', case_ready),
                 ('nginx serves a ConfigMap through its Service', case_nginx), ('Redis through its own client', case_redis),
                 ('Redis dies and has its volume again', case_redis_killed), ('PostgreSQL through psql', case_postgres),
                 ('a Python web application', case_web), ('images in use stay', case_images_are_used),
                 ('after deletion nothing is left', case_deleted), ('unused images go', case_images_go)]
        for name, case in cases:
            report.case(name, case, world)
            if report.failed and case in (case_import, case_ready):
                print(world.node.kubectl(KUBECTL, '-n', NAMESPACE, 'describe', 'pods', check=False).stdout[-6000:])
                print(world.node.log())
                break
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
