"""README and docs agree with the code: tables of settings and rooms, the commands they name, and what one prints."""

import os
import re

import pytest
from conftest import CODE
from test_layering import ROOMS

from hourglass_pose.cli import SUBCOMMANDS, main
from hourglass_pose.config.reference import document_keys
from hourglass_pose.launch.arguments import document_arguments

ROOT = os.path.dirname(CODE)
READMES = ('README.md', 'README.zh-CN.md')
PAGES = READMES + tuple(
    f'docs/{name}' for name in sorted(os.listdir(os.path.join(ROOT, 'docs'))) if name.endswith('.md')
)


def read(name):
    with open(os.path.join(ROOT, name), encoding='utf-8') as stream:
        return stream.read()


def test_table_of_settings_is_the_one_the_code_declares():
    assert document_keys().strip() in read('docs/settings.md')


def test_table_of_arguments_is_the_one_the_scripts_take():
    assert document_arguments() in read('docs/settings.md')


def test_rooms_in_the_docs_are_those_of_the_layering_test_from_the_top():
    named = re.findall(r'(?m)^\| `(\w+)/` \|', read('docs/architecture.md'))
    rooms = [room for room in ROOMS if os.path.isdir(os.path.join(CODE, 'hourglass_pose', room)) and room]
    assert named == rooms[::-1]


@pytest.mark.parametrize('name', PAGES)
def test_every_file_that_is_linked_is_there(name):
    folder = os.path.dirname(os.path.join(ROOT, name))
    linked = re.findall(r'\]\(([^):#]+)\)', read(name))
    assert [path for path in linked if not os.path.exists(os.path.join(folder, path))] == []


@pytest.mark.parametrize('name', PAGES)
def test_subcommands_in_the_docs_exist(name):
    assert set(re.findall(r'python -m hourglass_pose ([a-z][\w-]*)', read(name))) <= set(SUBCOMMANDS)


def test_the_readme_is_short():
    assert len(read('README.md').splitlines()) <= 150


def test_both_readmes_show_the_same_commands_and_numbers():
    blocks = [re.findall(r'```(?:\w*)\n(.*?)```', read(name), re.S) for name in READMES]
    without_comments = [[re.sub(r'\s*#.*', '', block) for block in found] for found in blocks]
    assert without_comments[0] == without_comments[1]


def test_the_first_command_prints_what_the_readme_shows(tmp_path, monkeypatch, capsys):
    commands, shown = re.findall(r'```\n(.*?)```', read('README.md'), re.S)[:2]
    program, *arguments, photo = commands.splitlines()[-1].split()
    monkeypatch.chdir(tmp_path)
    assert program == 'hourglass-pose' and main([*arguments, os.path.join(ROOT, photo)]) == 0
    captured = capsys.readouterr()
    assert (captured.err + captured.out).splitlines() == shown.splitlines()
