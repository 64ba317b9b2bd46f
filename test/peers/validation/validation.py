#!/usr/bin/env python3
"""Puts the manifests of schema/golden/validation*.txt and defaulting.txt to a real kube-apiserver and prints where
its causes (or defaults) differ from the golden ones.

usage: validation.py https://HOST:PORT TOKEN [FILE...]

The server wants --authorization-mode=AlwaysAllow, --token-auth-file and no admission that changes objects. Differences
that are no fault: the order of causes, texts of Go's decoder, resource versions and uids, the difference behind
`updates may not change fields other than`.
"""
import json
import os
import ssl
import sys
import urllib.error
import urllib.request

import yaml

GOLDEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'schema', 'golden')
CONTEXT = ssl._create_unverified_context()
SERVER, TOKEN = sys.argv[1], sys.argv[2]
# What is no resource of its own, or another one's.
PATHS = {'Binding': 'pods/a/binding', 'TokenRequest': 'serviceaccounts/a/token'}


class Loader(yaml.SafeLoader):
    """Times stay text, as kubectl reads them."""


Loader.yaml_implicit_resolvers = {key: [(tag, regexp) for tag, regexp in found if not tag.endswith(':timestamp')]
                                  for key, found in yaml.SafeLoader.yaml_implicit_resolvers.items()}


def call(method, path, body=None):
    request = urllib.request.Request(SERVER + path, method=method, data=json.dumps(body).encode() if body else None,
                                     headers={'Authorization': 'Bearer ' + TOKEN, 'Content-Type': 'application/json'})
    try:
        with urllib.request.urlopen(request, context=CONTEXT, timeout=20) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        text = error.read().decode()
        try:
            return error.code, json.loads(text)
        except ValueError:
            return error.code, {'message': text}


RESOURCES = {}


def discover():
    groups = ['/api/v1'] + ['/apis/' + version['groupVersion'] for group in call('GET', '/apis')[1]['groups']
                            for version in group['versions']]
    for group in groups:
        for resource in call('GET', group)[1].get('resources', []):
            if '/' not in resource['name']:
                key = (group.removeprefix('/apis/').removeprefix('/api/'), resource['kind'])
                RESOURCES[key] = (group, resource['name'], resource['namespaced'])


def path_of(thing):
    if thing['kind'] in PATHS:
        root = '/api/v1' if thing['apiVersion'].startswith(('v1', 'authentication')) else ''
        return f'{root}/namespaces/default/{PATHS[thing["kind"]]}', True
    found = RESOURCES.get((thing['apiVersion'], thing['kind']))
    if not found:
        return None, False
    group, name, namespaced = found
    return f'{group}/namespaces/default/{name}' if namespaced else f'{group}/{name}', namespaced


def causes(reply):
    found = reply.get('details', {}).get('causes')
    if found is None:
        return [reply.get('message', '')] if reply.get('kind') == 'Status' and reply.get('status') == 'Failure' else []
    return [f'{cause.get("field", "")}: {cause.get("message", "")}' for cause in found]


def ask(name, documents):
    path, _ = path_of(documents[0])
    if not path:
        return ['SKIP: no such resource here']
    if len(documents) == 1:
        return causes(call('POST', path + '?dryRun=All', documents[0])[1])
    sub = '/' + name[name.rindex('[') + 1:-1] if name.endswith(']') else ''
    one = f'{path}/{documents[0]["metadata"]["name"]}'
    call('DELETE', one + '?gracePeriodSeconds=0')
    first = json.loads(json.dumps(documents[0]))
    for key in ('resourceVersion', 'uid', 'deletionTimestamp'):
        first['metadata'].pop(key, None)
    status, made = call('POST', path, first)
    if status != 201:
        return ['SKIP: the first is refused: ' + made.get('message', '')[:200]]
    if 'status' in documents[0]:
        first['status'] = documents[0]['status']
        first['metadata']['resourceVersion'] = made['metadata']['resourceVersion']
        status, changed = call('PUT', one + '/status', first)
        made = changed if status == 200 else made
    if 'ephemeralContainers' in documents[0].get('spec', {}):
        return ['SKIP: needs a first write of its subresource']
    second = json.loads(json.dumps(documents[1]))
    second['metadata']['resourceVersion'] = made['metadata']['resourceVersion'] if documents[1]['metadata'].get(
        'resourceVersion') else ''
    found = causes(call('PUT', one + sub, second)[1])
    call('DELETE', one + '?gracePeriodSeconds=0')
    return found


def main():
    discover()
    files = sys.argv[3:] or ['validation.txt', 'validation_lists.txt']
    same = other = 0
    for file in files:
        text = open(os.path.join(GOLDEN, file), encoding='utf-8').read()
        for case in text.split('\n==== ')[1:]:
            name, _, rest = (case + '\n').partition('\n')
            given, _, expected = rest.partition('----\n') if rest.startswith('----') else rest.partition('\n----\n')
            documents = list(yaml.load_all(given, Loader))
            wanted = set(filter(None, expected.strip('\n').split('\n')))
            found = set('\n'.join(ask(name, documents)).split('\n')) - {''}
            if wanted == found:
                same += 1
                continue
            other += 1
            print('##', name)
            for line in sorted(wanted - found):
                print('  - ' + line)
            for line in sorted(found - wanted):
                print('  + ' + line)
    print(f'{same} the same, {other} differ')


if __name__ == '__main__':
    main()
