#!/usr/bin/env python3
"""Images of real programs, made of Debian packages alone, for the tests: busybox, nginx, Redis, PostgreSQL and a Python
web application (Flask under gunicorn). Nothing is executed: packages are unpacked, never configured.

    scripts/test-images.py [NAME ...]

prints a line for each: the image's name and the file or directory that `orch image import` takes (the bare root file
system of busybox needs --name). Packages and images are kept in .debs/images; a second run is offline and at once."""
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CACHE = os.path.join(ROOT, '.debs', 'images')
PACKAGES = os.path.join(CACHE, 'packages')
MTIME = 1_600_000_000

# What only configures packages, or is wanted for features that nobody uses here (LLVM: just-in-time compilation).
SKIP = re.compile(r'^(debconf.*|cdebconf.*|dpkg|perl.*|libperl.*|adduser|init-system-helpers|lsb-base|sysvinit-utils|ucf|ssl-cert|'
                  r'locales.*|postgresql-common|postgresql-client-common|libllvm.*|iproute2|sensible-utils|media-types|'
                  r'mailcap|passwd|tar|gcc-.*-base|libjs-.*|fonts-.*|coreutils|libpam-modules.*|libpam-runtime)$')
UNWANTED = re.compile(r'^usr/share/(doc|man|locale|lintian|info|bash-completion|perl5|bug|menu|apport|python3/debpython|i18n)(/|$)')

PASSWD = '''root:x:0:0:root:/root:/bin/sh
www-data:x:33:33:www-data:/var/www:/bin/false
redis:x:100:100:redis:/var/lib/redis:/bin/false
postgres:x:101:101:postgres:/var/lib/postgresql:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/bin/false
'''
GROUP = 'root:x:0:\nwww-data:x:33:\nredis:x:100:\npostgres:x:101:\nnogroup:x:65534:\n'

NGINX_CONF = '''daemon off;
worker_processes 1;
pid /run/nginx.pid;
error_log /dev/stderr notice;
events { worker_connections 256; }
http {
  include /etc/nginx/mime.types;
  default_type application/octet-stream;
  access_log /dev/stdout;
  include /etc/nginx/conf.d/*.conf;
}
'''
NGINX_SITE = '''server {
  listen 80 default_server;
  root /usr/share/nginx/html;
  location /healthz { return 200 "ok\\n"; }
}
'''

POSTGRES_START = '''#!/bin/sh
set -e
export PGDATA="${PGDATA:-/var/lib/postgresql/data}"
bin=/usr/lib/postgresql/15/bin
if [ ! -s "$PGDATA/PG_VERSION" ]; then
  printf '%s\\n' "${POSTGRES_PASSWORD:?set POSTGRES_PASSWORD}" >/tmp/password
  "$bin/initdb" -D "$PGDATA" --username=postgres --pwfile=/tmp/password --auth-host=scram-sha-256 --auth-local=trust \\
    --locale=C --encoding=UTF8 --no-sync
  rm /tmp/password
  echo "host all all all scram-sha-256" >>"$PGDATA/pg_hba.conf"
fi
exec "$bin/postgres" -D "$PGDATA" -c listen_addresses='*' -c unix_socket_directories=/tmp "$@"
'''

WEB_APP = '''import os
from flask import Flask, request

app = Flask(__name__)


@app.route("/")
def hello():
    return f"hello from {os.environ.get('POD_NAME', 'nowhere')}, {os.environ.get('GREETING', 'no greeting')}\\\\n"


@app.route("/echo", methods=["POST"])
def echo():
    return request.get_data()


@app.route("/healthz")
def health():
    return "ok\\\\n"


@app.route("/notes/<name>", methods=["GET", "PUT"])
def note(name):
    path = os.path.join(os.environ.get("NOTES", "/notes"), os.path.basename(name))
    if request.method == "PUT":
        with open(path, "wb") as file:
            file.write(request.get_data())
        return "", 204
    with open(path, "rb") as file:
        return file.read()
'''


def directory(mode=0o755, uid=0):
    return ('d', mode, uid, b'')


def text(content, mode=0o644, uid=0):
    return ('f', mode, uid, content.encode())


def link(target):
    return ('l', 0o777, 0, target.encode())


BASE = {'etc': directory(), 'etc/passwd': text(PASSWD), 'etc/group': text(GROUP), 'tmp': directory(0o1777), 'run': directory(),
        'var': directory(), 'var/tmp': directory(0o1777), 'root': directory(0o700)}

IMAGES = {
    'nginx': {
        'name': 'docker.io/library/nginx:1.22', 'form': 'docker-archive', 'file': 'nginx.tar.gz', 'packages': ['nginx'],
        'files': {'etc/nginx/nginx.conf': text(NGINX_CONF), 'etc/nginx/conf.d': directory(),
                  'etc/nginx/conf.d/default.conf': text(NGINX_SITE), 'usr/share/nginx/html': directory(),
                  'usr/share/nginx/html/index.html': text('<h1>Welcome to nginx!</h1>\n'),
                  'var/lib/nginx': directory(0o755, 33), 'var/log/nginx': directory(0o755, 33)},
        'config': {'Cmd': ['nginx'], 'ExposedPorts': {'80/tcp': {}}, 'StopSignal': 'SIGQUIT'}},
    'redis': {
        'name': 'docker.io/library/redis:7', 'form': 'oci', 'file': 'redis', 'packages': ['redis-server'],
        'files': {'data': directory(0o755, 100)},
        'config': {'Cmd': ['redis-server', '--bind', '*', '--protected-mode', 'no', '--dir', '/data'], 'User': 'redis',
                   'WorkingDir': '/data', 'ExposedPorts': {'6379/tcp': {}}, 'Volumes': {'/data': {}}}},
    'postgres': {
        'name': 'docker.io/library/postgres:15', 'form': 'docker-archive', 'file': 'postgres.tar', 'packages': ['postgresql-15'],
        'files': {'usr/local': directory(), 'usr/local/bin': directory(),
                  'usr/local/bin/start-postgres': text(POSTGRES_START, 0o755),
                  'var/lib/postgresql': directory(0o755, 101), 'var/lib/postgresql/data': directory(0o700, 101)},
        'config': {'Entrypoint': ['/usr/local/bin/start-postgres'], 'User': '101:101', 'StopSignal': 'SIGINT',
                   'Env': ['PATH=/usr/lib/postgresql/15/bin:/usr/local/bin:/usr/bin:/bin'], 'ExposedPorts': {'5432/tcp': {}}}},
    'python-web': {
        'name': 'registry.example/python-web:1', 'form': 'oci-tar', 'file': 'python-web.tar',
        'packages': ['python3-flask', 'gunicorn'],
        'files': {'app': directory(), 'app/app.py': text(WEB_APP.replace('\\\\', '\\')), 'notes': directory(0o755, 33)},
        'config': {'Entrypoint': ['gunicorn'], 'Cmd': ['--bind', '0.0.0.0:8000', '--worker-tmp-dir', '/tmp', 'app:app'],
                   'WorkingDir': '/app', 'User': 'www-data', 'ExposedPorts': {'8000/tcp': {}}}},
}


def fail(message):
    sys.exit(f'test-images: {message}')


def apt(*arguments):
    return subprocess.run(['apt-get', '-q', '-o', 'APT::Sandbox::User=root', *arguments], cwd=PACKAGES, capture_output=True,
                          text=True, check=False)


def records_of(packages):
    """{name: fields} of those that exist; one call for all, because apt-cache takes its time to start."""
    shown = subprocess.run(['apt-cache', '--no-all-versions', 'show', *packages], capture_output=True, text=True, check=False)
    records = {}
    for paragraph in shown.stdout.split('\n\n'):
        fields = {}
        for line in paragraph.splitlines():
            name, _, value = line.partition(': ')
            fields.setdefault(name, value)
        if 'Package' in fields:
            records.setdefault(fields['Package'], fields)
    return records


def alternatives_of(record):
    """Its dependencies, each as the names that would do, the preferred one first."""
    dependencies = [each for field in ('Depends', 'Pre-Depends') for each in record.get(field, '').split(', ') if each]
    return [[name.split(' ')[0].split(':')[0] for name in each.split(' | ')] for each in dependencies]


def closure(packages):
    """The packages and what they depend on, less SKIP."""
    known, asked, found, waiting = {}, set(), set(), [[package] for package in packages]
    while waiting:
        names = {name for alternatives in waiting for name in alternatives if name not in asked and not SKIP.match(name)}
        if names:
            known.update(records_of(sorted(names)))
            asked |= names
        following = []
        for alternatives in waiting:
            # The first that is a package and not only provided by one; those to skip count as there.
            package = next((name for name in alternatives if SKIP.match(name) or name in known), None)
            if package and package in known and package not in found:
                found.add(package)
                following += alternatives_of(known[package])
        waiting = following
    return found


def deb_of(package):
    escaped = re.escape(package)
    return next((os.path.join(PACKAGES, name) for name in sorted(os.listdir(PACKAGES)) if re.match(escaped + '_', name)), None)


def fetch(packages):
    missing = [package for package in packages if not deb_of(package)]
    if not missing:
        return
    if apt('download', *missing).returncode != 0:
        apt('update')
        done = apt('download', *missing)
        if done.returncode != 0:
            fail(f'cannot download {" ".join(missing)}:\n{done.stderr}')


class Layer:
    """Files by path; what comes later replaces."""

    def __init__(self):
        self.entries = {}

    def add(self, path, info, content=b''):
        self.entries[path] = (info, content)

    def add_files(self, files):
        for path, (kind, mode, uid, content) in files.items():
            info = tarfile.TarInfo(path)
            info.mode, info.uid, info.gid = mode, uid, uid
            info.type = {'d': tarfile.DIRTYPE, 'f': tarfile.REGTYPE, 'l': tarfile.SYMTYPE}[kind]
            if kind == 'l':
                info.linkname, content = content.decode(), b''
            info.size = len(content)
            self.add(path, info, content)

    def add_package(self, package):
        unpacked = subprocess.run(['dpkg-deb', '--fsys-tarfile', deb_of(package)], capture_output=True, check=True).stdout
        with tarfile.open(fileobj=io.BytesIO(unpacked)) as archive:
            for info in archive:
                path = os.path.normpath(info.name)
                if path == '.' or UNWANTED.match(path):
                    continue
                if info.islnk():
                    info.linkname = os.path.normpath(info.linkname)
                self.add(path, info, archive.extractfile(info).read() if info.isreg() else b'')

    def tar(self):
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as archive:
            hard = []
            for path, (info, content) in sorted(self.entries.items()):
                info.name, info.mtime, info.uname, info.gname, info.pax_headers = path, MTIME, '', '', {}
                if info.islnk():
                    hard.append(info)  # after what they name
                    continue
                archive.addfile(info, io.BytesIO(content))
            for info in hard:
                archive.addfile(info)
        return buffer.getvalue()


def busybox_path():
    for path in ('/bin/busybox', '/usr/bin/busybox'):
        if os.path.exists(path) and subprocess.run(['ldd', path], capture_output=True, check=False).returncode != 0:
            return path
    return fail('no static busybox; install busybox-static (scripts/setup.sh --tests does)')


def base_layer():
    layer = Layer()
    layer.add_files(BASE)
    with open(busybox_path(), 'rb') as file:
        content = file.read()
    layer.add_files({'bin': directory(), 'bin/busybox': ('f', 0o755, 0, content)})
    applets = subprocess.run([busybox_path(), '--list'], capture_output=True, text=True, check=True).stdout.split()
    layer.add_files({f'bin/{applet}': link('busybox') for applet in applets if applet != 'busybox'})
    return layer


def digest(data):
    return 'sha256:' + hashlib.sha256(data).hexdigest()


def architecture():
    return subprocess.run(['dpkg', '--print-architecture'], capture_output=True, text=True, check=True).stdout.strip()


def make_config(image, layers):
    config = {'Env': ['PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'], **image['config']}
    return json.dumps({'created': '2020-09-13T12:26:40Z', 'architecture': architecture(), 'os': 'linux', 'config': config,
                       'rootfs': {'type': 'layers', 'diff_ids': [digest(layer) for layer in layers]}}).encode()


def tar_of(files):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode='w', format=tarfile.PAX_FORMAT) as archive:
        for path, content in files.items():
            info = tarfile.TarInfo(path)
            info.mtime, info.size = MTIME, len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def docker_archive(image, layers):
    config = make_config(image, layers)
    files = {hashlib.sha256(layer).hexdigest() + '/layer.tar': layer for layer in layers}
    index = [{'Config': digest(config)[7:] + '.json', 'RepoTags': [image['name']], 'Layers': list(files)}]
    return tar_of({**files, index[0]['Config']: config, 'manifest.json': json.dumps(index).encode()})


def oci_files(image, layers):
    blobs = {}

    def keep(kind, data):
        blobs['blobs/sha256/' + digest(data)[7:]] = data
        return {'mediaType': f'application/vnd.oci.image.{kind}', 'digest': digest(data), 'size': len(data)}
    manifest = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.manifest.v1+json',
                'config': keep('config.v1+json', make_config(image, layers)),
                'layers': [keep('layer.v1.tar+gzip', gzip.compress(layer, 3, mtime=0)) for layer in layers]}
    entry = keep('manifest.v1+json', json.dumps(manifest).encode())
    entry['annotations'] = {'org.opencontainers.image.ref.name': image['name']}
    index = {'schemaVersion': 2, 'mediaType': 'application/vnd.oci.image.index.v1+json', 'manifests': [entry]}
    return {'oci-layout': b'{"imageLayoutVersion":"1.0.0"}', 'index.json': json.dumps(index).encode(), **blobs}


def write(path, data):
    with open(path + '.new', 'wb') as file:
        file.write(data)
    os.replace(path + '.new', path)


def write_image(image, layers):
    path = os.path.join(CACHE, image['file'])
    if image['form'] == 'docker-archive':
        data = docker_archive(image, layers)
        write(path, gzip.compress(data, 3, mtime=0) if path.endswith('.gz') else data)
    elif image['form'] == 'oci-tar':
        write(path, tar_of(oci_files(image, layers)))
    else:
        shutil.rmtree(path, ignore_errors=True)
        os.makedirs(path + '/blobs/sha256')
        for name, content in oci_files(image, layers).items():
            write(os.path.join(path, name), content)
    return path


def make(name):
    image = IMAGES[name]
    path, stamp = os.path.join(CACHE, image['file']), os.path.join(CACHE, name + '.stamp')
    with open(__file__, 'rb') as file:
        wanted = digest(file.read())
    if os.path.exists(path) and os.path.exists(stamp):
        with open(stamp, encoding='utf-8') as file:
            if file.read() == wanted:
                return image['name'], path
    # The C library and its like in a layer of their own, which the images share.
    common = sorted(closure(['libc6', 'zlib1g', 'libssl3', 'libcrypt1']))
    own = sorted(set(closure(image['packages'])) - set(common))
    fetch(common + own)
    middle, top = Layer(), Layer()
    for package in common:
        middle.add_package(package)
    for package in own:
        top.add_package(package)
    top.add_files(image['files'])
    write_image(image, [base_layer().tar(), middle.tar(), top.tar()])
    write(stamp, wanted.encode())
    return image['name'], path


def make_busybox():
    path = os.path.join(CACHE, 'busybox.tar')
    if not os.path.exists(path):
        write(path, base_layer().tar())
    return 'docker.io/library/busybox:latest', path


def main():
    names = sys.argv[1:] or ['busybox', *IMAGES]
    unknown = [name for name in names if name != 'busybox' and name not in IMAGES]
    if unknown:
        fail(f'unknown image {unknown[0]}; there are busybox, {", ".join(IMAGES)}')
    os.makedirs(PACKAGES, exist_ok=True)
    for name in names:
        print(*(make_busybox() if name == 'busybox' else make(name)), flush=True)


if __name__ == '__main__':
    main()
