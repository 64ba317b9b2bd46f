#!/usr/bin/env python3
"""Services and DNS of a real node: reached from pods, from the node and at node ports; refused without endpoints; kept by a
restart; gone without a trace."""
import json
import os
import shutil
import signal
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from node import Node, Report, newest_kubectl, wait_for, why_not  # noqa: E402

MANIFEST = '''
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  replicas: 2
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: web
        image: busybox
        imagePullPolicy: Never
        command: [sh, -c, 'hostname > /var/www/index.html; exec httpd -f -p 8080 -h /var/www']
        ports: [{name: http, containerPort: 8080}]
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {type: NodePort, selector: {app: web}, ports: [{name: http, port: 80, targetPort: http, nodePort: 30080}]}
---
apiVersion: v1
kind: Service
metadata: {name: sticky}
spec: {selector: {app: web}, sessionAffinity: ClientIP, ports: [{port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: headless}
spec: {clusterIP: None, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
---
apiVersion: v1
kind: Service
metadata: {name: nobody}
spec: {selector: {app: nobody}, ports: [{port: 80}]}
---
apiVersion: v1
kind: Pod
metadata: {name: client}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: main, image: busybox, imagePullPolicy: Never, command: [sleep, '3600']}]
'''


def pods(node):
    return (node.get('pods') or {'items': []})['items']


def cluster_ip(node, name):
    return node.get('service', name)['spec']['clusterIP']


def fetch(node, url, seconds=2):
    """The page's text, or curl's exit status: 7 refused, 28 timed out."""
    done = node.run(['curl', '-s', '--max-time', str(seconds), url], check=False)
    return done.stdout.strip() if done.returncode == 0 else done.returncode


def inside(node, *command):
    done = node.kubectl(newest_kubectl(), 'exec', 'client', '--', *command, check=False)
    return done.stdout.strip() if done.returncode == 0 else f'exit {done.returncode}: {done.stderr.strip()}'


def dig(node, *question):
    return node.run(['dig', '@10.43.0.10', '+time=2', '+tries=1', *question], check=False).stdout.strip()


def names_of_web(node):
    return {pod['metadata']['name'] for pod in pods(node) if pod['metadata']['name'].startswith('web-')}


def services_are_reached(node):
    names, ip = names_of_web(node), cluster_ip(node, 'web')
    wait_for(lambda: fetch(node, f'http://{ip}/') in names, 'the Service to be reached from the node')
    assert {fetch(node, f'http://{ip}/') for _ in range(40)} == names
    assert fetch(node, 'http://127.0.0.1:30080/') in names
    assert fetch(node, 'http://10.42.0.1:30080/') in names
    assert inside(node, 'timeout', '3', 'wget', '-qO-', f'http://{ip}/') in names
    assert inside(node, 'timeout', '3', 'wget', '-qO-', 'http://web/') in names
    assert inside(node, 'timeout', '3', 'wget', '-qO-', 'http://web.default.svc.cluster.local/') in names
    assert len({fetch(node, f"http://{cluster_ip(node, 'sticky')}/") for _ in range(20)}) == 1


def without_endpoints_it_is_refused(node):
    ip = cluster_ip(node, 'nobody')
    started = time.monotonic()
    assert fetch(node, f'http://{ip}/', 5) == 7
    assert 'refused' in inside(node, 'timeout', '5', 'wget', '-qO-', f'http://{ip}/')
    assert time.monotonic() - started < 4


def dns_answers(node):
    if shutil.which('dig') is None:
        print('SKIP: no dig (bind9-dnsutils)')
        return
    ips = {pod['status']['podIP'] for pod in pods(node) if pod['metadata']['name'].startswith('web-')}
    ip = cluster_ip(node, 'web')
    assert dig(node, '+short', 'web.default.svc.cluster.local') == ip
    assert set(dig(node, '+short', 'headless.default.svc.cluster.local').split()) == ips
    assert dig(node, '+short', '-x', ip) == 'web.default.svc.cluster.local.'
    assert dig(node, '+short', '-t', 'srv', '_http._tcp.web.default.svc.cluster.local') == '0 100 80 web.default.svc.cluster.local.'
    assert 'NXDOMAIN' in dig(node, 'nothing.default.svc.cluster.local')
    kube_dns = node.get('service', 'kube-dns', 'kube-system')
    assert kube_dns['spec']['clusterIP'] == '10.43.0.10', kube_dns


def a_restart_keeps_it(node):
    names, ip = names_of_web(node), cluster_ip(node, 'web')
    before = {pod['metadata']['name']: pod['status']['podIP'] for pod in pods(node)}
    node.stop(signal.SIGKILL)
    assert fetch(node, f'http://{ip}/') in names, 'while the server is down'
    node.start()
    node.wait_ready()
    assert fetch(node, f'http://{ip}/') in names
    assert {pod['metadata']['name']: pod['status']['podIP'] for pod in pods(node)} == before
    node.run(['nft', 'flush', 'ruleset'])
    wait_for(lambda: fetch(node, f'http://{ip}/') in names, 'the rules to come back')


def nothing_is_left(node):
    node.kubectl(newest_kubectl(), 'delete', '--timeout=60s', '-f', '-', stdin=MANIFEST)
    wait_for(lambda: not pods(node), 'the pods to go')
    wait_for(lambda: node.leftovers() == [], 'the node to be clean', 20)
    rules = node.run(['nft', 'list', 'ruleset']).stdout
    assert 'default/web' not in rules and 'host_port/' not in rules, rules
    assert os.listdir(f'{node.data_dir}/agent/network/pods') == []


def main():
    reason = why_not() or ('' if shutil.which('nft') else 'no nft') or ('' if newest_kubectl() else 'no kubectl')
    if reason:
        print(f'SKIP: {reason}')
        return 0
    report = Report()
    with Node() as node:
        node.wait_ready()
        node.import_busybox()
        node.kubectl(newest_kubectl(), 'apply', '-f', '-', stdin=MANIFEST)

        def running():
            found = pods(node)
            ready = [p for p in found if any(c['type'] == 'Ready' and c['status'] == 'True'
                                             for c in p['status'].get('conditions', []))]
            return len(found) == 3 and len(ready) == 3
        try:
            wait_for(running, 'the pods to be ready', 60)
        except Exception:
            print(json.dumps([p['status'] for p in pods(node)], indent=1)[:4000])
            print(node.log()[-4000:])
            raise
        for check in (services_are_reached, without_endpoints_it_is_refused, dns_answers, a_restart_keeps_it, nothing_is_left):
            report.case(check.__name__, check, node)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
