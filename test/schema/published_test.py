#!/usr/bin/env python3
"""Compares src/schema/kinds/*.schema with the published definitions of Kubernetes.

usage: published_test.py [SOURCE_ROOT]

published/<file>.facts holds what Kubernetes publishes of a group version: types, fields, protobuf
numbers and wire types, list types and keys, patch strategies. This reads the schemas with a small
parser of its own (not the one under test), checks their grammar and references, and prints every
line that differs. Exit status 1 if there is one.
"""
import json
import os
import re
import sys

SCALARS = {
    'string': 'string', 'bool': 'bool', 'int32': 'int32', 'int64': 'int64', 'double': 'double',
    'bytes': 'bytes', 'time': 'Time', 'microtime': 'MicroTime', 'duration': 'Duration',
    'quantity': 'Quantity', 'intorstring': 'IntOrString', 'raw': 'RawExtension',
    'fields': 'FieldsV1', 'json': 'JSON',
}
FORMATS = set('''dns-label dns1035-label dns-subdomain label-key path-segment label-value labels
    annotations config-key env-name port-name ip cidr abs-path quantity-nonnegative percent-or-int
    uri-path cron timezone port-or-name domain-path csi-driver file-mode no-backsteps relative-path
    config-path'''.split())
NAMES = {'dns-label', 'dns1035-label', 'dns-subdomain', 'path-segment'}
VERBS = 'create delete deletecollection get list patch update watch'.split()
SUBRESOURCES = set('''status scale log exec attach portforward proxy eviction binding
    ephemeralcontainers token approval finalize resize'''.split())
FLAGS = {'required', 'optional', 'mandatory', 'omitzero', 'immutable', 'set', 'atomic', 'granular',
         'unique', 'unchecked', 'inline', 'proto:items'}
TYPE = re.compile(r'^\*?(?:map\[(?:[A-Za-z][\w.]*(?:\[\])?)\]|[A-Za-z][\w.]*(?:\[\])?)$')
FIELD = re.compile(r'^(\d+) ([A-Za-z$][\w$-]*)(\??): (\S+)((?: |$).*)$')
DESCRIPTION = re.compile(r' *("(?:[^"\\]|\\.)*")$')
HOOK = re.compile(r'^@[a-z][a-z0-9_]*$')

problems = []


def problem(where, text):
    problems.append(f'{where}: {text}')


class Field:
    def __init__(self, where, match):
        self.where = where
        self.number, self.name, self.type = int(match[1]), match[2], match[4]
        self.omitempty = match[3] == '?'
        self.default, self.attributes = None, []
        rest = match[5].strip()
        if rest.startswith('='):
            try:
                value, end = json.JSONDecoder().raw_decode(rest[1:].lstrip())
            except ValueError as error:
                problem(where, f'default: {error}')
                return
            self.default = [value]
            rest = rest[1:].lstrip()[end:].strip()
        description = DESCRIPTION.search(' ' + rest)
        if description:
            rest = (' ' + rest)[:description.start()].strip()
        for word in rest.split():
            name, _, value = word.partition(':')
            if word in FLAGS or re.match(r'^unique\(\w+\)$', word):
                pass
            elif name in ('min', 'max', 'minlen', 'maxlen', 'minitems', 'maxitems'):
                if not re.match(r'^-?\d+$', value):
                    problem(where, f'{word}: not a number')
            elif name == 'format':
                if value not in FORMATS:
                    problem(where, f'{word}: unknown format')
            elif name == 'enum':
                values = value.split('|')
                if not all(values) or len(set(values)) != len(values):
                    problem(where, f'{word}: empty or repeated value')
                if self.default and isinstance(self.default[0], str) and self.default[0] \
                        and self.default[0] not in values:
                    problem(where, f'default {self.default[0]} is not in {word}')
            elif name == 'patch':
                if not re.match(r'^(merge|merge,retainKeys|retainKeys|replace)(\(\w+\))?$', value):
                    problem(where, f'{word}: unknown strategy')
            elif name != 'key':
                problem(where, f'unknown attribute {word}')
            if word.startswith('unique') and any(a.startswith('unique') for a in self.attributes):
                problem(where, 'a second unique')
            self.attributes.append(word)
        if not TYPE.match(self.type):
            problem(where, f'type {self.type}')

    def has(self, attribute):
        return attribute in self.attributes

    def value(self, name):
        for attribute in self.attributes:
            if attribute.startswith(name + ':'):
                return attribute[len(name) + 1:]
        return None

    @property
    def base(self):
        return re.sub(r'^\*?(map\[)?', '', self.type).rstrip('[]')

    @property
    def is_list(self):
        return self.type.endswith('[]')

    @property
    def is_map(self):
        return 'map[' in self.type


class Type:
    def __init__(self, where, name, plural):
        self.where, self.name, self.plural = where, name, plural
        self.fields, self.lines, self.flags = {}, [], set()


class File:
    def __init__(self, path):
        self.name = os.path.basename(path)[:-len('.schema')]
        self.package, self.group, self.imports, self.types, self.hooks = None, None, {}, {}, []
        current = None
        for number, line in enumerate(open(path, encoding='utf-8'), 1):
            where, line = f'{self.name}.schema:{number}', line.rstrip('\n')
            if not line.strip() or line.startswith('#'):
                continue
            if line != line.rstrip():
                problem(where, 'blanks at the end')
            if not line.startswith(' '):
                current = self.head(where, line, current)
            elif current is None:
                problem(where, 'belongs to no section')
            else:
                self.body(where, line.strip(), current)

    def head(self, where, line, current):
        words = DESCRIPTION.sub('', line).split()
        if words[0] == 'package' and len(words) == 2:
            self.package = words[1]
        elif words[0] == 'group' and len(words) == 3:
            self.group = words[1:]
        elif words[0] == 'import' and len(words) == 3:
            self.imports[words[1]] = words[2]
        elif (words[0] == 'type' and len(words) == 2) or (words[0] == 'kind' and len(words) == 3):
            if words[1] in self.types:
                problem(where, f'{words[1]} twice')
            current = Type(where, words[1], words[2] if words[0] == 'kind' else None)
            self.types[words[1]] = current
        else:
            problem(where, f'not understood: {line}')
        return current

    def body(self, where, line, current):
        match = FIELD.match(line)
        if match:
            field = Field(where, match)
            if field.name in current.fields:
                problem(where, f'{field.name} twice')
            if field.number and field.number in [f.number for f in current.fields.values()]:
                problem(where, f'number {field.number} twice')
            current.fields[field.name] = field
            return
        words = line.split()
        current.lines.append((where, line))
        if line in ('atomic', 'typemeta'):
            current.flags.add(line)
        elif words[0] in ('default', 'validate', 'create', 'update', 'prepare', 'row') and len(words) == 2 \
                and HOOK.match(words[1]):
            self.hooks.append((where, words[0], words[1]))
            if words[0] in ('prepare', 'row') and not current.plural:
                problem(where, f'{words[0]} belongs to a kind')
        elif words[0] in ('exactlyone', 'atmostone', 'required'):
            pass
        elif not current.plural or not self.kind_line(where, line, words):
            problem(where, f'not understood: {line}')

    def kind_line(self, where, line, words):
        if line in ('scope namespaced', 'scope cluster', 'generation', 'generation annotations',
                    'generation labels'):
            return True
        if words[0] in ('short', 'in', 'select'):
            return len(words) > 1
        if words[0] == 'name':
            return len(words) == 2 and words[1] in NAMES
        if words[0] == 'verbs':
            return all(word in VERBS for word in words[1:])
        if words[0] == 'sub':
            return len(words) > 1 and words[1] in SUBRESOURCES
        if words[0] == 'stored':
            self.hooks.append((where, 'stored', words[-1]))
            return len(words) == 4 and bool(HOOK.match(words[3]))
        if words[0] == 'column':
            match = re.match(r'^column ("[^"]+"|\S+) (string|integer|boolean|number|date)'
                             r'( format:name)?( wide)? ("(?:[^"\\]|\\.)*"|(@\w+)(?: \.\S+)*)'
                             r'( "(?:[^"\\]|\\.)*")?$', line)
            if match and match[6]:
                self.hooks.append((where, 'column', match[6]))
            return bool(match)
        return False


class Facts:
    def __init__(self, path):
        self.types, self.fields = {}, {}
        for line in open(path, encoding='utf-8'):
            words = line.split()
            if line.startswith('#') or not words:
                continue
            if words[0] == 'type':
                self.types[words[1]] = set(words[2:])
                self.fields[words[1]] = {}
            else:
                type_name, field = words[0].split('.', 1)
                self.fields[type_name][field] = words[1:]

    def list_of(self, name):
        """The item type of a list with the usual two fields."""
        fields = self.fields[name]
        if set(fields) == {'metadata', 'items'} and fields['metadata'][:3] == ['1', 'meta.ListMeta',
                                                                             'omitempty']:
            if fields['items'][0] == '2' and fields['items'][2] == 'always':
                return fields['items'][1].removesuffix('[]')
        return None


def wire_type(field):
    base = SCALARS.get(field.base) or field.base.split('.')[-1]
    if field.has('proto:items'):
        return 'map:ExtraValue' if field.is_map else 'Verbs'
    return ('map:' if field.is_map else 'repeated:' if field.is_list else '') + base


def list_type(field):
    if field.value('key'):
        return 'map'
    for name in ('set', 'atomic', 'granular'):
        if field.has(name):
            return name
    return 'atomic' if field.is_list else '-'


def same_list_type(field, ours, theirs):
    """Kubernetes marks some fields with what they are anyway, and some where it means nothing."""
    if ours == theirs:
        return True
    if field.is_list:
        return {ours, theirs} == {'atomic', '-'}
    return ours == '-' and theirs == ('granular' if field.is_map else 'atomic')


def compare(file, facts):
    for name in facts.types:
        if name not in file.types:
            item = facts.list_of(name)
            kind = file.types.get(item) if item else None
            if not kind or not kind.plural or name != item + 'List':
                problem(file.name, f'type {name} is missing')
            continue
        mine, published = file.types[name], facts.types[name]
        flags = set(mine.flags) | ({'typemeta'} if mine.plural else set())
        if flags != published:
            problem(mine.where, f'{name} has {sorted(flags)}, published {sorted(published)}')
        for field in facts.fields[name]:
            if field not in mine.fields:
                problem(mine.where, f'{name}.{field} is missing')
        for field in mine.fields.values():
            if field.name not in facts.fields[name]:
                problem(field.where, f'{name}.{field.name} is not published')
                continue
            number, go_type, flags, wire, kind, keys, patch = facts.fields[name][field.name]
            mine_flags = ['omitempty' if field.omitempty else 'always']
            mine_flags += [flag for flag in ('inline', 'optional', 'mandatory') if field.has(flag)]
            ours = [str(field.number), field.type, ','.join(mine_flags),
                    wire_type(field) if field.number else '-', list_type(field),
                    field.value('key') or '-', field.value('patch') or '-']
            theirs = [number, go_type, flags, wire, kind, keys, patch]
            for what, a, b in zip('number type omitempty wire list keys patch'.split(), ours, theirs):
                if not (same_list_type(field, a, b) if what == 'list' else a == b):
                    problem(field.where, f'{name}.{field.name} {what}: {a}, published {b}')
    for name, mine in file.types.items():
        if name not in facts.types:
            problem(mine.where, f'{name} is not published')


class References:
    def __init__(self, files):
        self.files = files
        self.by_package = {file.package: file for file in files}

    def resolve(self, file, base):
        """-> (file, Type), or None for a scalar; KeyError where there is none."""
        if base in SCALARS:
            return None
        if '.' in base:
            alias, base = base.split('.')
            file = self.by_package[file.imports[alias]]
        return file, file.types[base]

    def fields(self, file, mine):
        found = {}
        for field in mine.fields.values():
            if field.has('inline'):
                found.update(self.fields(*self.resolve(file, field.base)))
            else:
                found[field.name] = (file, field)
        return found

    def walk(self, file, mine, path):
        """Whether the path names something."""
        fields, last = self.fields(file, mine), None
        for step in re.findall(r'[^.\[\]]+|\[[^\]]*\]', path):
            if step.startswith('['):
                continue
            if last is not None and last[1].is_map:
                return True
            if last is not None:
                target = self.resolve(last[0], last[1].base)
                if target is None:
                    return False
                fields = self.fields(*target)
            if step not in fields:
                return False
            last = fields[step]
        return True

    def check(self, file):
        for mine in file.types.values():
            for field in mine.fields.values():
                try:
                    target = self.resolve(file, field.base)
                except KeyError:
                    problem(field.where, f'type {field.base} is unknown')
                    continue
                inner = [re.sub(r'^unique\((.*)\)$', r'\1', a) for a in field.attributes
                         if a.startswith('unique(')] + (field.value('key') or '').split(',')
                strategy = re.search(r'\((\w+)\)', field.value('patch') or '')
                inner += [strategy[1]] if strategy else []
                for name in filter(None, inner):
                    if target is None or name not in self.fields(*target):
                        problem(field.where, f'{field.base} has no field {name}')
            for where, line in mine.lines:
                self.check_line(file, mine, where, line)
            if mine.plural and not {'scope', 'name'} <= {l.split()[0] for _, l in mine.lines}:
                problem(mine.where, f'{mine.name} has no scope or no name')

    def check_line(self, file, mine, where, line):
        words = DESCRIPTION.sub('', line).split()
        paths = []
        if words[0] in ('exactlyone', 'atmostone', 'required'):
            paths = words[1:]
        elif words[:2] == ['sub', 'scale']:
            paths = words[2:]
        elif words[0] == 'select':
            for word in words[1:]:
                paths += word.split('=')[-1].split('|')
        elif words[0] == 'column':
            paths = re.findall(r'\{\.([^}|]+)', line) + re.findall(r' \.(\S+)', line)
        for path in paths:
            if not self.walk(file, mine, path):
                problem(where, f'{mine.name} has no {path}')


def main():
    root = sys.argv[1] if len(sys.argv) > 1 else os.path.join(os.path.dirname(__file__), '../..')
    kinds = os.path.join(root, 'src/schema/kinds')
    published = os.path.join(root, 'test/schema/published')
    names = sorted(n[:-len('.schema')] for n in os.listdir(kinds) if n.endswith('.schema'))
    files = [File(os.path.join(kinds, name + '.schema')) for name in names]
    references = References(files)
    types = fields = 0
    for file in files:
        references.check(file)
        path = os.path.join(published, file.name + '.facts')
        if os.path.exists(path):
            compare(file, Facts(path))
        else:
            problem(file.name, 'no published facts')
        types += len(file.types)
        fields += sum(len(t.fields) for t in file.types.values())
    for name in sorted(os.listdir(published)):
        if name.endswith('.facts') and name[:-len('.facts')] not in names:
            problem(name, 'no such schema')
    rules = os.path.join(root, 'docs/schema-rules.md')
    documented = set(re.findall(r'`(@\w+)`', open(rules, encoding='utf-8').read()))
    used = {(kind, hook) for file in files for _, kind, hook in file.hooks}
    general = {'@count', '@labels', '@label_selector', '@boolean', '@age'}
    for file in files:
        for where, _, hook in file.hooks:
            if hook not in documented | general:
                problem(where, f'{hook} is not in docs/schema-rules.md')
    for hook in sorted(documented - {h for _, h in used} - general):
        problem('docs/schema-rules.md', f'{hook} is used by no schema')
    for text in problems:
        print(text)
    print(f'{len(files)} files, {types} types, {fields} fields, {len(problems)} differences')
    return 1 if problems else 0


if __name__ == '__main__':
    sys.exit(main())
