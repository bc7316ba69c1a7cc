"""README and docs say what the code is: their tables of settings and files, and the commands they name."""

import ast
import os
import re

import pytest

from conftest import CODE
from hourglass_pose.cli import SUBCOMMANDS
from hourglass_pose.config.keys import KEYS, document_keys
from hourglass_pose.launch.arguments import ARGUMENTS, document_arguments

ROOT = os.path.dirname(CODE)
READMES = ('README.md', 'README.zh-CN.md')
SETTINGS = ('docs/settings.md', 'docs/settings.zh-CN.md')
FILES = ('docs/files.md', 'docs/files.zh-CN.md')


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as stream:
        return stream.read()


def modules():
    """Return {path below hourglass_pose: first line of its docstring} of every module that is not a bare package."""
    found = {}
    package = os.path.join(CODE, 'hourglass_pose')
    for folder, _, names in os.walk(package):
        for name in sorted(names):
            path = os.path.join(folder, name)
            if name.endswith('.py') and name not in ('__init__.py', '__main__.py'):
                with open(path, encoding='utf-8') as stream:
                    found[os.path.relpath(path, package)] = ast.get_docstring(ast.parse(stream.read())).split('\n')[0]
    return found


def test_table_of_settings_is_the_one_the_code_declares():
    assert document_keys().strip() in read('docs/settings.md')


def test_chinese_table_has_every_setting():
    text = read('docs/settings.zh-CN.md')
    assert [key.name for key in KEYS if '| `%s` |' % key.name not in text] == []


def test_table_of_arguments_is_the_one_the_scripts_take():
    assert document_arguments() in read('docs/settings.md')
    text = read('docs/settings.zh-CN.md')
    assert [argument.name for argument in ARGUMENTS if '| `--%s` |' % argument.name not in text] == []


@pytest.mark.parametrize('name', FILES)
def test_file_map_names_every_module_and_no_other(name):
    assert sorted(re.findall(r'(?m)^\| `([\w/]+\.py)` \|', read(name))) == sorted(modules())


@pytest.mark.parametrize('name', READMES + SETTINGS + FILES)
def test_every_file_that_is_linked_is_there(name):
    folder = os.path.dirname(os.path.join(ROOT, name))
    linked = re.findall(r'\]\(([^):#]+)\)', read(name))
    assert linked and [path for path in linked if not os.path.exists(os.path.join(folder, path))] == []


@pytest.mark.parametrize('name', READMES)
def test_subcommands_in_the_readme_exist(name):
    named = set(re.findall(r'python -m hourglass_pose ([\w-]+)', read(name)))
    assert named and named <= set(SUBCOMMANDS)


def test_both_readmes_show_the_same_commands_and_numbers():
    blocks = [re.findall(r'```(?:\w*)\n(.*?)```', read(name), re.S) for name in READMES]
    without_comments = [[re.sub(r'\s*#.*', '', block) for block in found] for found in blocks]
    assert without_comments[0] == without_comments[1]
