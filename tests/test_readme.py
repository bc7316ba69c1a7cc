"""The README says what the code is: its table of settings, its file map and the commands it names."""

import ast
import os
import re

import pytest

from conftest import CODE
from hourglass_pose.cli import SUBCOMMANDS
from hourglass_pose.config_keys import KEYS, document_keys
from hourglass_pose.launch.arguments import ARGUMENTS, document_arguments

ROOT = os.path.dirname(CODE)
READMES = ('README.md', 'README.zh-CN.md')


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
    assert document_keys().strip() in read('README.md')


def test_chinese_readme_has_every_setting():
    text = read('README.zh-CN.md')
    assert [key.name for key in KEYS if '| `%s` |' % key.name not in text] == []


def test_table_of_arguments_is_the_one_the_scripts_take():
    assert document_arguments() in read('README.md')
    text = read('README.zh-CN.md')
    assert [argument.name for argument in ARGUMENTS if '| `--%s` |' % argument.name not in text] == []


@pytest.mark.parametrize('name', READMES)
def test_file_map_names_every_module(name):
    text = read(name)
    assert [path for path in modules() if '`%s`' % path not in text] == []


@pytest.mark.parametrize('name', READMES)
def test_every_file_that_the_readme_names_is_there(name):
    linked = re.findall(r'\]\(([^):#]+)\)', read(name))
    assert linked and [path for path in linked if not os.path.exists(os.path.join(ROOT, path))] == []


@pytest.mark.parametrize('name', READMES)
def test_subcommands_in_the_readme_exist(name):
    named = set(re.findall(r'python -m hourglass_pose ([\w-]+)', read(name)))
    assert named and named <= set(SUBCOMMANDS)


def test_both_readmes_show_the_same_commands_and_numbers():
    blocks = [re.findall(r'```(?:\w*)\n(.*?)```', read(name), re.S) for name in READMES]
    without_comments = [[re.sub(r'\s*#.*', '', block) for block in found] for found in blocks]
    assert without_comments[0] == without_comments[1]
