"""The only import of TensorFlow: which versions are taken, what is silenced, and what kind of graph follows."""

import os
import subprocess
import sys

import pytest
from conftest import CODE

from hourglass_pose import tf_compat
from hourglass_pose.errors import UserError
from hourglass_pose.tf_compat import TF_VERSION, VERSION, describe_versions, is_supported, parse_version, tf


@pytest.mark.parametrize(
    'text, version',
    [('1.15.5', (1, 15)), ('2.21.0', (2, 21)), ('2.16.0-rc1', (2, 16)), ('1.15.0+nv21.03', (1, 15)), ('2.9', (2, 9))],
)
def test_version_is_the_first_two_numbers(text, version):
    assert parse_version(text) == version


def test_both_ends_of_the_range_are_supported_and_what_lies_between_is_not():
    supported = [(1, 15)] + [(2, minor) for minor in range(16, 22)]
    others = [(1, 14), (1, 16), (2, 0), (2, 15), (2, 22), (3, 0)]
    assert all(map(is_supported, supported)) and not any(map(is_supported, others))
    assert VERSION == parse_version(TF_VERSION) and is_supported(VERSION)


def test_graphs_hold_reference_variables_and_conditions_may_assign_to_them():
    assert not tf.executing_eagerly()
    with tf.Graph().as_default(), tf.Session() as session:
        variable = tf.get_variable('v', [], initializer=tf.zeros_initializer())
        assert variable.op.type == 'VariableV2'
        assign = tf.cond(tf.constant(True), lambda: tf.assign_add(variable, 2.0), lambda: tf.identity(variable))
        session.run(tf.global_variables_initializer())
        session.run(assign)
        assert session.run(variable) == 2


def test_versions_are_described_by_name():
    versions = describe_versions()
    assert set(versions) == {'hourglass_pose', 'tensorflow', 'numpy', 'python'}
    assert versions['tensorflow'] == TF_VERSION and all(isinstance(text, str) for text in versions.values())


@pytest.fixture
def import_of(tmp_path, monkeypatch):
    """Return a function that imports TensorFlow as tf_compat does, where `tensorflow` has the given source."""

    def import_source(source):
        (tmp_path / 'tensorflow.py').write_text(source)
        monkeypatch.delitem(sys.modules, 'tensorflow', raising=False)
        monkeypatch.syspath_prepend(str(tmp_path))
        return tf_compat._import_tensorflow()

    return import_source


def test_start_up_chatter_is_dropped_and_other_lines_are_passed_on(import_of, capfd):
    source = "import os\nos.write(2, b'oneDNN custom operations are on.\\nthe disk is on fire\\n')\nmark = 7\n"
    assert import_of(source).mark == 7
    assert capfd.readouterr().err == 'the disk is on fire\n'


def test_tensorflow_that_cannot_be_loaded_is_a_user_error_with_its_cause(import_of, capfd):
    with pytest.raises(UserError, match=r'cannot be imported \(libcuda is missing\).*pip install'):
        import_of("raise ImportError('libcuda is missing')")
    assert capfd.readouterr().err == ''


@pytest.mark.parametrize(
    'source, message',
    [
        (
            "__version__ = '1.14.0'",
            'error: TensorFlow 1.14.0 is too old; this project runs on TensorFlow 1.15, or 2.16',
        ),
        ("raise ImportError('no module')", 'error: TensorFlow cannot be imported (no module)'),
    ],
)
def test_command_without_a_usable_tensorflow_ends_with_one_line(tmp_path, source, message):
    (tmp_path / 'tensorflow.py').write_text(source)
    (tmp_path / 'photo.png').write_bytes(b'')
    path = os.pathsep.join([str(tmp_path), CODE])
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'hourglass_pose',
            'predict',
            '--checkpoint',
            'x',
            '--output',
            str(tmp_path),
            str(tmp_path / 'photo.png'),
        ],
        env=dict(os.environ, PYTHONPATH=path),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == 2
    lines = done.stderr.decode().splitlines()
    assert len(lines) == 1 and lines[0].startswith(message)
