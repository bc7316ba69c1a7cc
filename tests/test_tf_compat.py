"""The only import of TensorFlow: which versions are taken, what is silenced, and what kind of graph follows."""

import os
import signal
import subprocess
import sys
import time

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


def test_both_ranges_are_supported_and_versions_between_them_are_not():
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


def test_tensorflow_that_other_libraries_do_not_fit_is_a_user_error_with_its_cause(import_of):
    with pytest.raises(
        UserError, match=r'cannot be imported \(Descriptors cannot be created directly\. If .* 3\.20\)'
    ) as caught:
        import_of("raise TypeError('Descriptors cannot be created directly.\\nIf this call came from protobuf > 3.20')")
    assert '\n' not in str(caught.value)


@pytest.mark.parametrize(
    'end, signal_number',
    [('os.abort()', signal.SIGABRT), ('os.kill(os.getpid(), signal.SIGILL)', signal.SIGILL)],
    ids=['abort', 'illegal instruction'],
)
def test_tensorflow_that_crashes_while_it_loads_shows_everything_it_wrote(tmp_path, end, signal_number):
    (tmp_path / 'tensorflow.py').write_text(
        "import os, signal\nos.write(2, b'oneDNN custom operations are on\\nno AVX on this machine')\n" + end
    )
    done = subprocess.run(
        [sys.executable, '-c', 'import hourglass_pose.tf_compat'],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(tmp_path), CODE])),
        capture_output=True,
        timeout=120,
    )
    assert done.returncode == -signal_number
    # Beside the text of a crash, what is usually noise may be the cause.
    assert b'no AVX on this machine' in done.stderr and b'oneDNN custom operations are on' in done.stderr
    assert b'error: the process ended while TensorFlow was loading' in done.stderr


def test_a_process_that_tensorflow_leaves_behind_delays_nothing(import_of, capfd):
    source = 'import subprocess\nchild = subprocess.Popen(["sleep", "60"])\n'
    begin = time.monotonic()
    child = import_of(source).child
    assert time.monotonic() - begin < 30
    child.kill()
    child.wait()


def test_text_without_an_end_of_line_is_shown(import_of, capfd):
    import_of("import os\nos.write(2, b'one\\ntwo')\n")
    assert capfd.readouterr().err == 'one\ntwo'


def test_importing_the_package_alone_changes_nothing_of_the_process():
    program = (
        'import os, sys; before = dict(os.environ), set(sys.modules), list(sys.path); import hourglass_pose; '
        'print(dict(os.environ) == before[0] and list(sys.path) == before[2], "tensorflow" in sys.modules, '
        '"cv2" in sys.modules)'
    )
    done = subprocess.run(
        [sys.executable, '-c', program], env=dict(os.environ, PYTHONPATH=CODE), stdout=subprocess.PIPE, timeout=120
    )
    assert done.stdout.split() == [b'True', b'False', b'False']


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
    (tmp_path / 'hg.index').write_bytes(b'')
    path = os.pathsep.join([str(tmp_path), CODE])
    done = subprocess.run(
        [
            sys.executable,
            '-m',
            'hourglass_pose',
            'predict',
            '--checkpoint',
            str(tmp_path / 'hg'),
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
