#!/usr/bin/env python3
"""The scheduler inside a real server: nodes written by the test, pods that go where they should, and what kubectl
says of those that go nowhere."""
import json
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import Report, Server, kubectls, wait_for  # noqa: E402

NODES, PODS = '/api/v1/nodes', '/api/v1/namespaces/default/pods'


def call(server, method, path, body=None, content_type='application/json'):
    status, _, data = server.request(method, path, body, {'Content-Type': content_type})
    assert status < 300, f'{method} {path}: {status} {data.decode()}'
    return json.loads(data)


def add_node(server, name, cpu='4', labels=None):
    # No node agent renews a lease for these: the test says itself that they are ready.
    node = call(server, 'POST', NODES, {'apiVersion': 'v1', 'kind': 'Node', 'metadata': {
        'name': name, 'labels': {'kubernetes.io/hostname': name, **(labels or {})}}})
    node['status'] = {'allocatable': {'cpu': cpu, 'memory': '8Gi', 'pods': '110'},
                      'conditions': [{'type': 'Ready', 'status': 'True', 'reason': 'KubeletReady'}]}
    call(server, 'PATCH', f'{NODES}/{name}/status', {'status': node['status']}, 'application/merge-patch+json')


def add_pod(server, name, cpu='100m', **spec):
    container = {'name': 'main', 'image': 'image', 'resources': {'requests': {'cpu': cpu}}}
    call(server, 'POST', PODS, {'apiVersion': 'v1', 'kind': 'Pod', 'metadata': {'name': name},
                                'spec': {'containers': [container], **spec}})


def pod(server, name):
    return call(server, 'GET', f'{PODS}/{name}')


def condition(server, name):
    conditions = pod(server, name).get('status', {}).get('conditions', [])
    return next((c for c in conditions if c['type'] == 'PodScheduled'), None)


def wait_bound(server, name):
    return wait_for(lambda: pod(server, name)['spec'].get('nodeName'), f'pod {name} to get a node')


def goes_to_a_node(server):
    add_node(server, 'one')
    add_pod(server, 'plain')
    assert wait_bound(server, 'plain') == 'one'
    told = condition(server, 'plain')
    assert told and told['status'] == 'True', told


def says_why_not_and_goes_later(server):
    add_pod(server, 'choosy', nodeSelector={'disk': 'ssd'})
    told = wait_for(lambda: condition(server, 'choosy'), 'the condition')
    assert told['status'] == 'False' and told['reason'] == 'Unschedulable', told
    assert told['message'] == ("0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector. "
                               'preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.'), told
    add_node(server, 'two', labels={'disk': 'ssd'})
    assert wait_bound(server, 'choosy') == 'two'
    told = condition(server, 'choosy')
    assert told['status'] == 'True', told


def gates_hold(server):
    add_pod(server, 'gated', schedulingGates=[{'name': 'example.com/quota'}])
    told = wait_for(lambda: condition(server, 'gated'), 'the condition')
    assert told['reason'] == 'SchedulingGated', told
    call(server, 'PATCH', f'{PODS}/gated', {'spec': {'schedulingGates': None}}, 'application/merge-patch+json')
    wait_bound(server, 'gated')


def describe_shows_it(server, kubectl):
    add_pod(server, 'large', cpu='64')
    wait_for(lambda: condition(server, 'large'), 'the condition')

    def shown(name, text):
        return text in server.kubectl(kubectl, 'describe', 'pod', name).stdout
    wait_for(lambda: shown('large', '2 Insufficient cpu'), 'the Event of a refusal')
    wait_for(lambda: shown('plain', 'Successfully assigned default/plain to one'), 'the Event of a success')


def main():
    report = Report()
    with Server() as server:
        report.case('a pod goes to a node', goes_to_a_node, server)
        report.case('a pod that fits nowhere says why, and goes where it fits later', says_why_not_and_goes_later, server)
        report.case('scheduling gates hold a pod', gates_hold, server)
        found = kubectls()
        if found:
            report.case(f'kubectl {found[-1][0]} describe shows the Events', describe_shows_it, server, found[-1][1])
        else:
            report.skip('kubectl describe shows the Events', 'no kubectl')
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
