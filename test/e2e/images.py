#!/usr/bin/env python3
"""`orch image` beside foreign programs: Debian's docker-registry filled by skopeo, archives that skopeo reads and
writes, layers compared with what umoci unpacks; and a registry that lies."""
import crypt
import gzip
import hashlib
import http.server
import io
import json
import os
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
import urllib.request

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'lib'))
from cluster import ROOT, Report, wait_for  # noqa: E402

ORCH = os.environ.get('ORCH_BIN', os.path.join(ROOT, 'build', 'orch'))
WORK = tempfile.mkdtemp(prefix='orch-images-')
DATA = os.path.join(WORK, 'data')


def path(*parts):
    return os.path.join(WORK, *parts)


def run(*arguments, check=True, **options):
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=120, **options)
    if check and done.returncode != 0:
        raise AssertionError(f'{" ".join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}')
    return done


def orch(*arguments, check=True, data=DATA, **options):
    return run(ORCH, 'image', *arguments, '--data-dir', data, check=check, **options)


def error_of(*arguments, data=DATA):
    done = orch(*arguments, check=False, data=data)
    assert done.returncode == 1, done
    line = done.stderr.strip().split('\n')[-1]
    assert line.startswith('error: '), done
    return line


def tree(directory):
    """Everything of a tree that matters, as text."""
    listing = run('find', directory, '-mindepth', '1', '-type', 'd', '-printf', '%P %y %m %U %G %l\n', '-o', '-mindepth', '1',
                  '-printf', '%P %y %m %U %G %s %l %T@\n').stdout
    return '\n'.join(sorted(listing.splitlines()))


# --- Images to test with

def tar_of(entries):
    """entries: (name, content or None for a directory, options)"""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as archive:
        for name, content, options in entries:
            info = tarfile.TarInfo(name)
            info.mtime = 1_600_000_000
            info.mode = 0o755 if content is None else 0o644
            info.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            info.size = len(content or b'')
            for key, value in options.items():
                setattr(info, key, value)
            archive.addfile(info, io.BytesIO(content or b''))
    return buffer.getvalue()


def layers():
    with open('/bin/busybox', 'rb') as file:
        busybox = file.read()
    link = {'type': tarfile.SYMTYPE, 'linkname': 'busybox'}
    hard = {'type': tarfile.LNKTYPE, 'linkname': 'bin/busybox'}
    return [
        tar_of([('bin', None, {}), ('bin/busybox', busybox, {'mode': 0o4755}), ('bin/sh', b'', link), ('bin/hard', b'', hard),
                ('etc', None, {}), ('etc/old', b'old', {}), ('etc/kept', b'kept', {'uid': 7, 'gid': 8}),
                ('srv', None, {'mode': 0o700, 'uid': 5}), ('srv/a', b'a', {}), ('opaque', None, {}), ('opaque/gone', b'x', {})]),
        tar_of([('etc', None, {}), ('etc/.wh.old', b'', {}), ('opaque', None, {}), ('opaque/.wh..wh..opq', b'', {}),
                ('opaque/new', b'y', {}), ('n' * 150, b'long', {}), ('grün', 'ü'.encode(), {})]),
        tar_of([('srv', None, {'mode': 0o700, 'uid': 5}), ('srv/b', os.urandom(3_000_000), {})]),
    ]


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def write_docker_archive(target, images, compress=False):
    """images: [(tags, [layer tars])]"""
    files, index = {}, []
    for tags, tars in images:
        config = json.dumps({'architecture': 'amd64' if os.uname().machine == 'x86_64' else 'arm64', 'os': 'linux',
                             'config': {'Cmd': ['/bin/sh'], 'Env': ['PATH=/bin']},
                             'rootfs': {'type': 'layers', 'diff_ids': [digest(tar) for tar in tars]}}).encode()
        names = []
        for tar in tars:
            name = hashlib.sha256(tar).hexdigest() + '/layer.tar'
            files[name] = tar
            names.append(name)
        config_name = hashlib.sha256(config).hexdigest() + '.json'
        files[config_name] = config
        index.append({'Config': config_name, 'RepoTags': tags, 'Layers': names})
    files['manifest.json'] = json.dumps(index).encode()
    data = tar_of([(name, content, {}) for name, content in files.items()])
    with open(target, 'wb') as file:
        file.write(gzip.compress(data) if compress else data)


# --- The registry of Debian

class Registry:
    def __init__(self, name, login=None, tls=False):
        self.directory = path(name)
        self.login, self.tls = login, tls
        os.makedirs(self.directory)
        self.port = free_port()
        self.process = None

    def __enter__(self):
        config = ['version: 0.1', 'log: {level: error}', 'storage:', f'  filesystem: {{rootdirectory: {self.directory}/store}}',
                  '  delete: {enabled: true}', 'http:', f'  addr: 127.0.0.1:{self.port}']
        if self.tls:
            make_certificate(self.directory)
            config += ['  tls:', f'    certificate: {self.directory}/cert.pem', f'    key: {self.directory}/key.pem']
        if self.login:
            user, password = self.login
            with open(f'{self.directory}/htpasswd', 'w', encoding='utf-8') as file:
                file.write(f'{user}:{crypt.crypt(password, crypt.mksalt(crypt.METHOD_BLOWFISH, rounds=1024)).replace("$2b$", "$2y$")}\n')
            config += ['auth:', f'  htpasswd: {{realm: test, path: {self.directory}/htpasswd}}']
        with open(f'{self.directory}/config.yml', 'w', encoding='utf-8') as file:
            file.write('\n'.join(config) + '\n')
        with open(f'{self.directory}/log', 'wb') as log:
            self.process = subprocess.Popen(['docker-registry', 'serve', f'{self.directory}/config.yml'], stdout=log, stderr=log)
        wait_for(lambda: is_open(self.port), 'the registry')
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()

    @property
    def host(self):
        return f'127.0.0.1:{self.port}'

    def push(self, source, name, *options):
        flags = ['--dest-tls-verify=false', *options]
        if self.login:
            flags += ['--dest-creds', ':'.join(self.login)]
        run('skopeo', '--insecure-policy', 'copy', *flags, source, f'docker://{self.host}/{name}')

    def blob_file(self, blob):
        return f'{self.directory}/store/docker/registry/v2/blobs/sha256/{blob[7:9]}/{blob[7:]}/data'


def free_port():
    with socket.socket() as probe:
        probe.bind(('127.0.0.1', 0))
        return probe.getsockname()[1]


def is_open(port):
    with socket.socket() as probe:
        return probe.connect_ex(('127.0.0.1', port)) == 0


def make_certificate(directory):
    run('openssl', 'req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-subj', '/CN=test', '-addext',
        'subjectAltName=IP:127.0.0.1', '-keyout', f'{directory}/key.pem', '-out', f'{directory}/cert.pem')


# --- Cases

def images():
    return json.loads(orch('ls', '-o', 'json').stdout)['images']


def find(name):
    for image in images():
        if name in image['repoTags']:
            return image
    raise AssertionError(f'no image {name} in {images()}')


def layer_directories(image):
    with open(f'{DATA}/agent/images/records/{image["id"][7:]}.json', encoding='utf-8') as file:
        return [f'{DATA}/agent/images/layers/{key}/fs' for key in json.load(file)['layers']]


def mounted_tree(image):
    """What a container of the image would see, from an overlay in a mount namespace of its own."""
    lower = ':'.join(reversed(layer_directories(image)))
    place = path('mounted')
    os.makedirs(place, exist_ok=True)
    script = (f'mount -t overlay overlay -o lowerdir={lower} {place} && '
              f'find {place} -mindepth 1 -type d -printf "%P %y %m %U %G %l\\n" -o -mindepth 1 -printf "%P %y %m %U %G %s %l %T@\\n"')
    listing = run('unshare', '-m', 'sh', '-c', script).stdout
    return '\n'.join(sorted(listing.splitlines()))


def umoci_tree(layout, tag):
    bundle = path('bundle')
    shutil.rmtree(bundle, ignore_errors=True)
    run('umoci', 'unpack', '--image', f'{layout}:{tag}', bundle)
    try:
        return tree(f'{bundle}/rootfs')
    finally:
        shutil.rmtree(bundle)


def same(ours, theirs):
    if ours != theirs:
        mine, other = set(ours.splitlines()), set(theirs.splitlines())
        raise AssertionError(f'only ours: {sorted(mine - other)[:5]}\nonly theirs: {sorted(other - mine)[:5]}')


def case_import_docker_archive():
    write_docker_archive(path('app.tar'), [(['app:1', 'example.org/app:2'], layers())])
    done = orch('import', path('app.tar'))
    assert sorted(done.stdout.split()) == sorted(['imported', 'docker.io/library/app:1', 'imported', 'example.org/app:2']), done
    run('skopeo', '--insecure-policy', 'copy', f'docker-archive:{path("app.tar")}:app:1', f'oci:{path("layout")}:one')
    same(mounted_tree(find('docker.io/library/app:1')), umoci_tree(path('layout'), 'one'))


def case_import_oci():
    before = find('docker.io/library/app:1')
    orch('import', path('layout'), '--name', 'from-layout:1')
    run('skopeo', '--insecure-policy', 'copy', f'oci:{path("layout")}:one', f'oci-archive:{path("oci.tar")}:example.org/x:3')
    orch('import', path('oci.tar'))
    names = [tag for image in images() for tag in image['repoTags']]
    assert 'docker.io/library/from-layout:1' in names and 'example.org/x:3' in names, names
    assert layer_directories(find('example.org/x:3')) == layer_directories(before)


def case_import_several_packed():
    write_docker_archive(path('two.tar.gz'), [(['two:1'], layers()[:1]), (['two:2'], layers()[:2])], compress=True)
    orch('import', path('two.tar.gz'))
    assert find('docker.io/library/two:1')['id'] != find('docker.io/library/two:2')['id']


def case_import_root():
    with open(path('root.tar'), 'wb') as file:
        file.write(layers()[0])
    assert '--name' in error_of('import', path('root.tar'))
    orch('import', path('root.tar'), '--name', 'root')
    run('zstd', '-q', path('root.tar'))
    with open(path('root.tar.zst'), 'rb') as file:
        done = orch('import', '-', '--name', 'root:zst', stdin=file)
    assert 'docker.io/library/root:zst' in done.stdout, done
    assert find('docker.io/library/root:latest')['id'] == find('docker.io/library/root:zst')['id']


def case_export():
    orch('export', 'app:1', 'two:2', '-o', path('out.tar'))
    for form in ('docker-archive', 'oci-archive'):
        reference = f'{form}:{path("out.tar")}:docker.io/library/app:1' if form == 'docker-archive' else f'{form}:{path("out.tar")}:1'
        shown = json.loads(run('skopeo', '--insecure-policy', 'inspect', '--config', reference).stdout)
        assert shown['config']['Cmd'] == ['/bin/sh'], shown
    run('skopeo', '--insecure-policy', 'copy', f'docker-archive:{path("out.tar")}:docker.io/library/app:1', f'oci:{path("again")}:one')
    same(umoci_tree(path('again'), 'one'), mounted_tree(find('docker.io/library/app:1')))
    elsewhere = path('elsewhere')
    orch('import', path('out.tar'), data=elsewhere)
    table = orch('ls', data=elsewhere).stdout
    assert table.splitlines()[0].split() == ['IMAGE', 'TAG', 'IMAGE', 'ID', 'SIZE', 'PINNED'], table
    assert 'docker.io/library/two' in table and 'docker.io/library/app' in table, table


def case_pull(registry):
    registry.push(f'docker-archive:{path("app.tar")}:app:1', 'app:1')
    registry.push(f'docker-archive:{path("app.tar")}:app:1', 'app:oci', '--format', 'oci')
    registry.push(f'docker-archive:{path("app.tar")}:app:1', 'app:zstd', '--format', 'oci', '--dest-compress-format', 'zstd')
    for tag in ('1', 'oci', 'zstd'):
        fresh = path('fresh-' + tag)
        done = orch('pull', f'{registry.host}/app:{tag}', data=fresh)
        assert done.stdout == f'{registry.host}/app:{tag}\n', done
        layer = sorted(os.listdir(f'{fresh}/agent/images/layers'))
        assert len(layer) == 3, layer
        assert os.listdir(f'{fresh}/agent/images/tmp') == []
        assert set(os.listdir(f'{fresh}/agent/images')) == {'layers', 'records', 'tmp', 'lock', 'empty'}
    orch('pull', f'{registry.host}/app:1')
    assert layer_directories(find(f'{registry.host}/app:1')) == layer_directories(find('docker.io/library/app:1'))
    by_digest = find(f'{registry.host}/app:1')['repoDigests'][0]
    assert by_digest.startswith(f'{registry.host}/app@sha256:'), by_digest
    orch('pull', by_digest, data=path('fresh-digest'))


def case_pull_index(registry):
    manifest_url = f'http://{registry.host}/v2/app/manifests/'
    accept = {'Accept': 'application/vnd.docker.distribution.manifest.v2+json'}
    with urllib.request.urlopen(urllib.request.Request(manifest_url + '1', headers=accept), timeout=10) as reply:
        body, kind = reply.read(), reply.headers['Content-Type']
    machine = 'amd64' if os.uname().machine == 'x86_64' else 'arm64'
    entry = {'mediaType': kind, 'digest': digest(body), 'size': len(body)}
    for tag, architectures in (('multi', [machine]), ('foreign', ['s390x'])):
        index = {'schemaVersion': 2, 'mediaType': 'application/vnd.docker.distribution.manifest.list.v2+json',
                 'manifests': [{**entry, 'platform': {'os': 'linux', 'architecture': each}} for each in architectures]}
        request = urllib.request.Request(manifest_url + tag, data=json.dumps(index).encode(), method='PUT',
                                         headers={'Content-Type': index['mediaType']})
        urllib.request.urlopen(request, timeout=10).close()
    orch('pull', f'{registry.host}/app:multi')
    assert 'no match for platform in manifest: not found' in error_of('pull', f'{registry.host}/app:foreign')


def case_pull_errors(registry):
    name = f'{registry.host}/nope:1'
    assert error_of('pull', name) == (f'error: failed to pull and unpack image "{name}": failed to resolve reference "{name}": '
                                      f'{name}: not found')
    closed = free_port()
    line = error_of('pull', f'127.0.0.1:{closed}/x')
    assert f'failed to do request: Get "http://127.0.0.1:{closed}/v2/x/manifests/latest": ' in line and 'refused' in line, line
    assert 'invalid reference format' in error_of('pull', 'No Such')


def case_pull_damaged(registry):
    registry.push(f'docker-archive:{path("app.tar")}:app:1', 'damaged:1', '--format', 'oci')
    with urllib.request.urlopen(urllib.request.Request(f'http://{registry.host}/v2/damaged/manifests/1', headers={
            'Accept': 'application/vnd.oci.image.manifest.v1+json'}), timeout=10) as reply:
        blob = json.loads(reply.read())['layers'][2]
    file = registry.blob_file(blob['digest'])
    with open(file, 'rb') as opened:
        good = opened.read()
    with open(file, 'wb') as opened:
        opened.write(good[:100] + bytes([good[100] ^ 1]) + good[101:])
    try:
        line = error_of('pull', f'{registry.host}/damaged:1', data=path('fresh-damaged'))
        assert f'expected {blob["digest"]}: failed precondition' in line, line
        assert os.listdir(path('fresh-damaged', 'agent', 'images', 'records')) == []
        with open(file, 'wb') as opened:
            opened.write(good[:1000])
        line = error_of('pull', f'{registry.host}/damaged:1', data=path('fresh-damaged'))
        assert 'failed to copy: layer ' + blob['digest'] in line, line
    finally:
        with open(file, 'wb') as opened:
            opened.write(good)
    orch('pull', f'{registry.host}/damaged:1', data=path('fresh-damaged'))


def case_login():
    with Registry('private', login=('user', 'secret')) as registry:
        registry.push(f'docker-archive:{path("app.tar")}:app:1', 'app:1')
        name = f'{registry.host}/app:1'
        data = path('fresh-login')
        assert 'no basic auth credentials' in error_of('pull', name, data=data)
        assert 'pull access denied' in error_of('pull', name, '--username', 'user', '--password', 'wrong', data=data)
        orch('pull', name, '--username', 'user', '--password', 'secret', data=data)
        with open(path('registries.yaml'), 'w', encoding='utf-8') as file:
            json.dump({'configs': {registry.host: {'auth': {'username': 'user', 'password': 'secret'}}}}, file)
        orch('pull', name, '--private-registry', path('registries.yaml'), data=path('fresh-login-2'))


def case_tls_and_mirror():
    with Registry('tls', tls=True) as registry:
        registry.push(f'docker-archive:{path("app.tar")}:app:1', 'mirrored/app:1')
        tls = {'tls': {'ca_file': f'{registry.directory}/cert.pem'}}
        mirror = {'endpoint': [f'https://{registry.host}'], 'rewrite': {'^library/(.*)': 'mirrored/$1'}}

        def use(configs):
            with open(path('registries.yaml'), 'w', encoding='utf-8') as file:
                json.dump({'mirrors': {'docker.io': mirror}, 'configs': configs}, file)
        use({registry.host: tls})
        data = path('fresh-tls')
        done = orch('pull', 'app:1', '--private-registry', path('registries.yaml'), data=data)
        assert done.stdout == 'docker.io/library/app:1\n', done
        use({registry.host: {'tls': {'insecure_skip_verify': True}}})
        orch('pull', 'app:1', '--private-registry', path('registries.yaml'), data=path('fresh-tls-2'))
        use({})
        line = error_of('pull', 'app:1', '--private-registry', path('registries.yaml'), data=path('fresh-tls-3'))
        assert 'certificate' in line, line


class LyingRegistry(http.server.BaseHTTPRequestHandler):
    """Serves one image; what its blobs do is chosen by the tag's name."""
    protocol_version = 'HTTP/1.1'
    layer = b''
    config = b''
    ranges = []

    def log_message(self, *_):
        pass

    def do_GET(self):  # noqa: N802
        mode = self.path.split('/')[2]
        if '/manifests/' in self.path:
            body = json.dumps({
                'schemaVersion': 2, 'config': {'mediaType': 'application/vnd.oci.image.config.v1+json',
                                               'digest': digest(self.config), 'size': len(self.config)},
                'layers': [{'mediaType': 'application/vnd.oci.image.layer.v1.tar', 'digest': digest(self.layer),
                            'size': len(self.layer)}]}).encode()
            return self.reply(body, 'application/vnd.oci.image.manifest.v1+json')
        if digest(self.config) in self.path:
            return self.reply(self.config, 'application/octet-stream')
        body, status = self.layer, 200
        if 'Range' in self.headers:
            LyingRegistry.ranges.append(self.headers['Range'])
            body, status = body[int(self.headers['Range'][6:-1]):], 206
        if mode == 'wrong':
            body = body[:-1] + b'!'
        cut = {'breaking': max(len(body) // 2, 1), 'truncated': 0}.get(mode, len(body))
        self.send_response(status)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body[:cut])
        self.close_connection = cut < len(body)
        return None

    def reply(self, body, kind):
        self.send_response(200)
        self.send_header('Content-Type', kind)
        self.send_header('Content-Length', str(len(body)))
        self.end_headers()
        self.wfile.write(body)


def case_lies():
    LyingRegistry.layer = layers()[0]
    LyingRegistry.config = json.dumps({'os': 'linux', 'architecture': 'amd64' if os.uname().machine == 'x86_64' else 'arm64',
                                       'rootfs': {'type': 'layers', 'diff_ids': [digest(LyingRegistry.layer)]}}).encode()
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), LyingRegistry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    host = f'127.0.0.1:{server.server_address[1]}'
    try:
        assert 'failed precondition' in error_of('pull', f'{host}/wrong', data=path('fresh-lies'))
        LyingRegistry.ranges.clear()
        orch('pull', f'{host}/breaking', data=path('fresh-lies'))
        assert len(LyingRegistry.ranges) > 5, LyingRegistry.ranges  # half of what is left, each time
        began = time.monotonic()
        assert 'unexpected EOF' in error_of('pull', f'{host}/truncated', data=path('fresh-lies-2'))
        assert time.monotonic() - began < 60
    finally:
        server.shutdown()
        server.server_close()


def case_hostile_layers():
    hostile = {
        'climbs': [('../../../../../../../..' + path('evil'), b'x', {})],
        'hard link out': [('x', b'', {'type': tarfile.LNKTYPE, 'linkname': '../../etc/passwd'})],
        'link and through': [('up', b'', {'type': tarfile.SYMTYPE, 'linkname': '/' + '../' * 20 + WORK}), ('up/evil', b'x', {})],
    }
    for what, entries in hostile.items():
        write_docker_archive(path('hostile.tar'), [(['hostile:1'], [tar_of(entries)])])
        line = error_of('import', path('hostile.tar'))
        assert 'layer sha256:' in line and 'entry "' in line, (what, line)
        assert not os.path.exists(path('evil')), what
    with open(path('app.tar'), 'rb') as file:
        whole = file.read()
    with open(path('cut.tar'), 'wb') as file:
        file.write(whole[:len(whole) // 2])
    assert 'error: ' in error_of('import', path('cut.tar'))


def case_remove():
    orch('rm', 'example.org/app:2')
    assert 'not found' in error_of('rm', 'example.org/app:2')
    done = orch('prune')
    assert 'freed ' in done.stdout, done
    assert images() == []
    assert os.listdir(f'{DATA}/agent/images/layers') == []
    assert 'no data directory' in error_of('ls', data=path('nowhere'))


def case_two_at_once():
    started = [subprocess.Popen([ORCH, 'image', 'import', path('app.tar'), '--data-dir', path('both')], stdout=subprocess.DEVNULL)
               for _ in range(4)]
    assert [each.wait(60) for each in started] == [0, 0, 0, 0]


def main():
    report = Report()
    for tool in ('docker-registry', 'skopeo', 'umoci', 'zstd', 'openssl', 'busybox'):
        if not shutil.which(tool):
            report.skip('images', f'{tool} is not installed (scripts/setup.sh --tests installs it)')
            return report.finish()
    try:
        with Registry('registry') as registry:
            report.case('a docker archive is unpacked as umoci unpacks it', case_import_docker_archive)
            report.case('OCI layouts and archives', case_import_oci)
            report.case('several images, packed', case_import_several_packed)
            report.case('a bare root file system, from a file and from standard input', case_import_root)
            report.case('skopeo and umoci read what is exported', case_export)
            report.case('pull from a registry: schema 2, OCI, zstd, by digest', case_pull, registry)
            report.case('pull of an index', case_pull_index, registry)
            report.case('errors say which server and what it answered', case_pull_errors, registry)
            report.case('damaged blobs in a registry', case_pull_damaged, registry)
            report.case('a registry with a login', case_login)
            report.case('a mirror over TLS, rewritten', case_tls_and_mirror)
            report.case('a registry that lies, breaks off and truncates', case_lies)
            report.case('hostile and cut archives', case_hostile_layers)
            report.case('several processes at one data directory take turns', case_two_at_once)
            report.case('rm and prune', case_remove)
    finally:
        shutil.rmtree(WORK, ignore_errors=True)
    return report.finish()


if __name__ == '__main__':
    sys.exit(main())
