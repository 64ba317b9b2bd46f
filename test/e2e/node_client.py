#!/usr/bin/env python3
"""@kubernetes/client-node against the server: typed create, list, watch, patch. Needs npm; skips loudly."""
import os
import shutil
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), 'lib'))
from cluster import ROOT, Report, Server  # noqa: E402

PACKAGE = '@kubernetes/client-node@1.3.0'
WHERE = os.path.join(ROOT, 'build', 'tools', 'client-node')

SCRIPT = r'''
import * as k8s from '@kubernetes/client-node';
import assert from 'node:assert';

const config = new k8s.KubeConfig();
config.loadFromFile(process.env.KUBECONFIG);
const core = config.makeApiClient(k8s.CoreV1Api);
const apps = config.makeApiClient(k8s.AppsV1Api);

const seen = [];
const watch = new k8s.Watch(config);
const done = new Promise((resolve, reject) => {
  watch.watch('/api/v1/namespaces/default/configmaps', { resourceVersion: '' }, (type, object) => {
    if (object.metadata.name !== 'typed') return;
    seen.push(type);
    if (type === 'DELETED') resolve();
  }, (error) => error ? reject(error) : resolve());
});

const made = await core.createNamespacedConfigMap({
  namespace: 'default', body: { metadata: { name: 'typed' }, data: { a: '1' } } });
assert.equal(made.data.a, '1');
assert.ok(made.metadata.creationTimestamp instanceof Date);
const listed = await core.listNamespacedConfigMap({ namespace: 'default' });
assert.ok(listed.items.some((item) => item.metadata.name === 'typed'));
const patched = await core.patchNamespacedConfigMap({
  name: 'typed', namespace: 'default', body: [{ op: 'replace', path: '/data/a', value: '2' }] });
assert.equal(patched.data.a, '2');

const labels = { app: 'typed' };
const deployment = await apps.createNamespacedDeployment({
  namespace: 'default',
  body: { metadata: { name: 'typed' },
          spec: { selector: { matchLabels: labels },
                  template: { metadata: { labels }, spec: { containers: [{ name: 'c', image: 'i' }] } } } } });
assert.equal(deployment.spec.replicas, 1);
assert.equal(deployment.spec.strategy.rollingUpdate.maxSurge, '25%');

await core.deleteNamespacedConfigMap({ name: 'typed', namespace: 'default' });
await done;
assert.deepEqual([...new Set(seen)], ['ADDED', 'MODIFIED', 'DELETED']);
await assert.rejects(core.readNamespacedConfigMap({ name: 'typed', namespace: 'default' }), (e) => e.code === 404);
console.log('typed client ok');
process.exit(0);
'''


def typed_client(server):
    path = os.path.join(WHERE, 'typed.mjs')
    with open(path, 'w', encoding='utf-8') as file:
        file.write(SCRIPT)
    done = subprocess.run(['node', path], cwd=WHERE, capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, 'KUBECONFIG': server.kubeconfig})
    assert 'typed client ok' in done.stdout, done.stdout + done.stderr


def main():
    report = Report()
    if not shutil.which('npm') or not shutil.which('node'):
        report.skip('client-node', 'no npm on this machine')
        return report.finish()
    if not os.path.isdir(os.path.join(WHERE, 'node_modules', '@kubernetes')):
        os.makedirs(WHERE, exist_ok=True)
        installed = subprocess.run(['npm', 'install', '--no-audit', '--no-fund', '--prefix', WHERE, PACKAGE],
                                   capture_output=True, text=True, timeout=300, check=False)
        if installed.returncode != 0:
            report.skip('client-node', 'npm could not install it: ' + installed.stderr[-200:])
            return report.finish()
    with Server() as server:
        report.case('client-node: typed create, list, watch, patch', typed_client, server)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
