#!/usr/bin/env python3
"""Writes the initial file system of a virtual machine as a cpio archive (newc, which the kernel unpacks).

make_image.py --modules DIRECTORY --module-list FILE --output FILE [SOURCE=TARGET]...

SOURCE is a file or a directory; TARGET its place in the machine. The kernel's modules are taken with what they depend
on, unpacked, and named in /modules/order, in the order in which insmod has to load them.
"""
import argparse
import lzma
import os
import re
import stat


def cpio_entry(number, name, mode, content, device=(0, 0)):
    name = name.encode() + b'\0'
    fields = (number, mode, 0, 0, 1, 0, len(content), 0, 0, device[0], device[1], len(name), 0)
    head = b'070701' + b''.join(b'%08X' % field for field in fields) + name
    head += b'\0' * (-len(head) % 4)
    return head + content + b'\0' * (-len(content) % 4)


class Image:
    def __init__(self, output):
        self.output = output
        self.number = 0
        self.directories = set()

    def add(self, name, mode, content=b'', device=(0, 0)):
        parent = os.path.dirname(name)
        if parent and parent not in self.directories:
            self.directory(parent)
        self.number += 1
        self.output.write(cpio_entry(self.number, name, mode, content, device))

    def directory(self, name):
        if name not in self.directories:
            self.directories.add(name)
            self.add(name, stat.S_IFDIR | 0o755)

    def tree(self, source, target):
        if os.path.islink(source):
            self.add(target, stat.S_IFLNK | 0o777, os.readlink(source).encode())
        elif os.path.isdir(source):
            self.directory(target)
            for name in sorted(os.listdir(source)):
                self.tree(os.path.join(source, name), f'{target}/{name}')
        else:
            with open(source, 'rb') as file:
                self.add(target, os.stat(source).st_mode, file.read())

    def close(self):
        self.add('dev/console', stat.S_IFCHR | 0o600, device=(5, 1))
        self.add('TRAILER!!!', 0)


class Modules:
    """What modinfo(8) knows, from the files themselves: depmod has not run on an unpacked package."""

    def __init__(self, directory):
        self.paths = {}
        for parent, _, files in os.walk(directory):
            for file in files:
                match = re.fullmatch(r'(.+)\.ko(\.xz)?', file)
                if match:
                    self.paths[match[1].replace('-', '_')] = os.path.join(parent, file)
        self.contents = {}  # in the order of loading

    def load(self, name):
        name = name.replace('-', '_')
        if name in self.contents or name not in self.paths:
            return  # it is there, or part of the kernel
        with open(self.paths[name], 'rb') as file:
            content = file.read()
        if self.paths[name].endswith('.xz'):
            content = lzma.decompress(content)
        depends = re.search(rb'\0depends=([^\0]*)\0', content)
        for other in depends[1].decode().split(',') if depends else []:
            if other:
                self.load(other)
        self.contents[name] = content


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('--modules', required=True)
    parser.add_argument('--module-list', required=True)
    parser.add_argument('--output', required=True)
    parser.add_argument('files', nargs='*')
    arguments = parser.parse_args()
    modules = Modules(arguments.modules)
    with open(arguments.module_list, encoding='utf-8') as file:
        for name in file.read().split():
            modules.load(name)
    with open(arguments.output, 'wb') as output:
        image = Image(output)
        for name in ('proc', 'sys', 'dev', 'tmp', 'run', 'root', 'newroot'):
            image.directory(name)
        for pair in arguments.files:
            source, target = pair.split('=', 1)
            image.tree(source, target.lstrip('/'))
        for name, content in modules.contents.items():
            image.add(f'modules/{name}.ko', stat.S_IFREG | 0o644, content)
        image.add('modules/order', stat.S_IFREG | 0o644, ''.join(f'{name}.ko\n' for name in modules.contents).encode())
        image.close()


main()
