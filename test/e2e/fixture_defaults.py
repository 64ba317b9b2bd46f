#!/usr/bin/env python3
"""The manifests users bring, as they read back with every default Kubernetes sets: golden files.

ORCH_REWRITE_GOLDEN=1 writes them anew; a reader then checks them against the published documentation.
"""
import json
import os
import re
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import ROOT, Report, Server, kubectls  # noqa: E402

SEED = os.path.join(ROOT, '..', 'shared', 'fixtures', 'seed')
GOLDEN = os.path.join(ROOT, 'test', 'e2e', 'golden')
VOLATILE = ('uid', 'creationTimestamp', 'resourceVersion')


def stable(item):
    for field in VOLATILE:
        item['metadata'].pop(field, None)
    item['metadata'].get('annotations', {}).pop('kubectl.kubernetes.io/last-applied-configuration', None)
    item['metadata'].get('annotations', {}).pop('deployment.kubernetes.io/revision', None)
    if item['kind'] == 'Deployment':
        item['status'] = {}  # the controller writes it at once
    for field in ('lastPhaseTransitionTime', 'conditions'):  # times, and what the scheduler adds
        item.get('status', {}).pop(field, None)
    for field in ('clusterIP', 'clusterIPs'):
        if field in item.get('spec', {}):
            item['spec'][field] = 'ALLOCATED'
    for port in item.get('spec', {}).get('ports', []):
        if 'nodePort' in port:
            port['nodePort'] = 'ALLOCATED'
    return item


def check(server, kubectl, name):
    path = os.path.join(SEED, name)
    server.kubectl(kubectl, 'apply', '-f', path)
    read = json.loads(server.kubectl(kubectl, 'get', '-f', path, '-o', 'json').stdout)
    items = read['items'] if read['kind'] == 'List' else [read]
    text = json.dumps([stable(item) for item in items], indent=1, sort_keys=True) + '\n'
    text = re.sub(r'"kube-api-access-[a-z0-9]{5}"', '"kube-api-access-RANDOM"', text)
    golden = os.path.join(GOLDEN, name.replace('.yaml', '.json'))
    if os.environ.get('ORCH_REWRITE_GOLDEN'):
        os.makedirs(GOLDEN, exist_ok=True)
        with open(golden, 'w', encoding='utf-8') as file:
            file.write(text)
    with open(golden, encoding='utf-8') as file:
        expected = file.read()
    assert text == expected, f'{golden} differs:\n{text}'


def main():
    report = Report()
    binaries = kubectls()
    if not binaries or not os.path.isdir(SEED):
        report.skip('fixtures', 'no kubectl or no fixtures beside this repository')
        return report.finish()
    with Server() as server:
        for name in sorted(os.listdir(SEED)):
            if name != 'cluster-autoscaler.yaml':  # a kind of somebody's operator
                report.case(name, check, server, binaries[-1][1], name)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
