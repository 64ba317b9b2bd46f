#!/usr/bin/env python3
"""Generates the typed views (schema/view.h) of one schema file.

usage: generate_views.py SCHEMA_DIR NAME OUTPUT   (NAME: core_v1)
The full grammar with its checks is the C++ parser's; this reads only names and types of fields.
"""
import os
import re
import sys

SCALARS = {
    'string': 'std::string_view', 'bytes': 'std::string_view', 'bool': 'bool', 'int32': 'int64_t',
    'int64': 'int64_t', 'double': 'double', 'quantity': 'Quantity', 'intorstring': 'const Value&',
    'raw': 'const Value&', 'fields': 'const Value&', 'json': 'const Value&',
}
TIMES = {'time': 'read_time', 'microtime': 'read_time', 'duration': 'read_duration'}
KEYWORDS = set('namespace template operator default continue protected private public class '
               'union enum switch case delete new this int bool char signed unsigned short long '
               'volatile export register static const explicit using value has'.split())
FIELD = re.compile(r'^\s+(\d+) (\w+)\??: (\*?)(map\[)?([\w.]+)(\])?((?:\[\])*)')


def read_schema(path):
    """-> (package, {alias: package}, [(type, [(field, pointer, is_map, base, is_list)])])"""
    package, aliases, types = '', {}, []
    for line in open(path, encoding='utf-8'):
        words = line.split()
        if not words or words[0].startswith('#'):
            continue
        if not line[0].isspace():
            if words[0] == 'package':
                package = words[1]
            elif words[0] == 'import':
                aliases[words[1]] = words[2]
            elif words[0] in ('type', 'kind'):
                types.append((words[1], []))
            continue
        match = FIELD.match(line)
        if match:
            _, name, pointer, is_map, base, _, lists = match.groups()
            types[-1][1].append((name, bool(pointer), bool(is_map), base, bool(lists)))
    return package, aliases, types


def snake(name):
    text = re.sub(r'([a-z0-9])([A-Z])', r'\1_\2', name)
    text = re.sub(r'([A-Z]+)([A-Z][a-z])', r'\1_\2', text).lower()
    return text + '_' if text in KEYWORDS else text


def namespaces(directory):
    """package -> (namespace, file name)"""
    found = {}
    for entry in sorted(os.listdir(directory)):
        if entry.endswith('.schema'):
            package = read_schema(os.path.join(directory, entry))[0]
            found[package] = entry[:-len('.schema')]
    return found


def getter(field, resolve):
    name, pointer, is_map, base, is_list = field
    member = f'(*object_)["{name}"]'
    if is_map or is_list:
        view = 'MapView' if is_map else 'ListView'
        if is_map and is_list:
            item = f'ListView<{SCALARS.get(base) or resolve(base)}>'
        elif base in TIMES:
            item = 'const Value&'
        else:
            item = SCALARS.get(base) or resolve(base)
        return f'{view}<{item}>', f'{view}<{item}>({member})'
    if base in TIMES:
        result = 'Duration' if base == 'duration' else 'Instant'
        return f'std::optional<{result}>', f'{TIMES[base]}({member})'
    if base in SCALARS:
        cpp = SCALARS[base]
        if pointer and cpp != 'const Value&':
            return f'std::optional<{cpp}>', f'read_optional<{cpp}>({member})'
        return cpp, f'read<{cpp}>({member})'
    return resolve(base), f'{resolve(base)}({member})'


def main():
    directory, name, output = sys.argv[1:]
    package, aliases, types = read_schema(os.path.join(directory, name + '.schema'))
    spaces = namespaces(directory)

    def resolve(base):
        if '.' not in base:
            return base
        alias, type_name = base.split('.')
        return f'{spaces[aliases[alias]]}::{type_name}'

    out = ['#pragma once', f'// Generated from kinds/{name}.schema. Do not edit.', '']
    out.append('#include "schema/view.h"')
    for imported in sorted({spaces[p] for p in aliases.values() if p in spaces}):
        out.append(f'#include "schema/views/{imported}.h"')
    out += ['', f'namespace orch::schema::{name} {{', '']
    out += [f'class {type_name};' for type_name, _ in types] + ['']
    bodies = []
    for type_name, fields in types:
        out += [f'class {type_name} : public View {{', ' public:', '  using View::View;']
        for field in fields:
            result, expression = getter(field, resolve)
            out.append(f'  inline {result} {snake(field[0])}() const;')
            bodies.append(f'inline {result} {type_name}::{snake(field[0])}() const {{ return {expression}; }}')
        out += ['};', '']
    out += bodies + ['', f'}}  // namespace orch::schema::{name}', '']
    os.makedirs(os.path.dirname(output) or '.', exist_ok=True)
    with open(output, 'w', encoding='utf-8') as file:
        file.write('\n'.join(out))


if __name__ == '__main__':
    main()
