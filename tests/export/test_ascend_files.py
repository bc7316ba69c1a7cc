"""Files for Ascend: an aipp.cfg that normalises as the network does, and a call of ATC that fits the graph."""

import os
import re
import stat
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from hourglass_pose.errors import UserError
from hourglass_pose.export import ascend_files


def aipp(text, pixels):
    """Return what AIPP computes of uint8 pixels (..., 3) by a configuration."""

    def numbers(key):
        return np.array(
            [
                float(re.search(r'^\s*%s_%d: (\S+)$' % (key, channel), text, re.MULTILINE).group(1))
                for channel in range(3)
            ]
        )

    assert all(number == int(number) for number in numbers('mean_chn'))
    return (pixels - numbers('mean_chn') - numbers('min_chn')) * numbers('var_reci_chn')


@pytest.mark.parametrize('mean', [(0.0, 0.0, 0.0), (0.5, 0.5, 0.5), (0.4404, 0.4440, 0.4327), (1.0, 0.2, 0.6)])
def test_aipp_makes_what_the_network_takes(mean):
    text = ascend_files.aipp_config(96, mean)
    pixels = np.arange(256)[:, None] * np.ones(3)
    # Numbers in the file have nine digits.
    assert np.abs(aipp(text, pixels) - (pixels / 255.0 - mean)).max() < 1e-8
    assert text.count('{') == text.count('}') == 1
    for line in (
        'aipp_mode: static',
        'input_format: RGB888_U8',
        'csc_switch: false',
        'src_image_size_w: 96',
        'src_image_size_h: 96',
    ):
        assert f'    {line}\n' in text


def test_a_mean_is_split_without_leaving_the_ranges_of_aipp():
    for mean in np.random.RandomState(0).uniform(0, 1, (200, 3)).round(4).tolist() + [[0.2, 0.6, 1.0]]:
        whole, fraction = ascend_files.split_mean(mean)
        assert (whole >= 0).all() and (whole <= 255).all() and (fraction >= 0).all() and (fraction < 1).all()
        np.testing.assert_allclose(whole + fraction, 255 * np.array(mean), atol=1e-8)


def command(input_type='uint8', outputs=('heatmaps',)):
    offline = SimpleNamespace(input_shape=(4, 128, 128, 3), input_type=input_type, outputs=outputs)
    return ascend_files.atc_command(offline, 'hg', 'Ascend310P3', 'force_fp16')


def test_the_call_names_what_the_graph_has():
    assert command() == [
        'atc',
        '--model=hg.pb',
        '--framework=3',
        '--input_format=NHWC',
        '--input_shape=image:4,128,128,3',
        '--out_nodes=heatmaps:0',
        '--output=hg',
        '--soc_version=Ascend310P3',
        '--precision_mode=force_fp16',
    ]
    assert '--insert_op_conf=aipp.cfg' in command('float32')
    assert '--out_nodes=joints:0;scores:0' in command(outputs=('joints', 'scores'))


FAKE_ATC = '#!/bin/sh\npwd > called\nfor word in "$@"; do echo "$word" >> called; done\necho "ATC run"; exit %d\n'


def fake_atc(folder, code=0):
    """Write a program `atc` that records where and how it is called, and return the PATH with it."""
    path = os.path.join(str(folder), 'atc')
    with open(path, 'w') as stream:
        stream.write(FAKE_ATC % code)
    os.chmod(path, 0o755)
    return str(folder) + os.pathsep + os.environ['PATH']


def test_the_script_calls_atc_in_its_own_folder_with_unchanged_words(tmpdir):
    words = command('float32', ('joints', 'scores'))
    home, programs = tmpdir.mkdir('a model'), tmpdir.mkdir('bin')
    script = str(home.join('atc.sh'))
    ascend_files.write_atc_script(script, words)
    assert os.stat(script).st_mode & stat.S_IXUSR
    subprocess.check_call([script], env=dict(os.environ, PATH=fake_atc(programs)), cwd=str(tmpdir))
    assert home.join('called').read().splitlines() == [str(home)] + words[1:]


def test_atc_is_run_if_installed_and_its_failure_is_one_line(tmpdir, monkeypatch):
    monkeypatch.setenv('PATH', str(tmpdir))
    assert ascend_files.run_atc(str(tmpdir), command()) is False
    monkeypatch.undo()
    monkeypatch.setenv('PATH', fake_atc(tmpdir))
    assert ascend_files.run_atc(str(tmpdir), command()) is True
    assert tmpdir.join('called').read().splitlines() == [str(tmpdir)] + command()[1:]
    fake_atc(tmpdir, 3)
    with pytest.raises(UserError, match='exit code 3: ATC run') as caught:
        ascend_files.run_atc(str(tmpdir), command())
    assert '\n' not in str(caught.value)
