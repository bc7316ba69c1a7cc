"""Exported ONNX models: the description beside the file or in it, read without the onnx package."""

import json
import os

import pytest

from exported_models import CELLS, SIZE, describe, field, fixed, model, varint, write_exported
from hourglass_pose.checkpoints.exported import open_exported, read_metadata
from hourglass_pose.errors import CheckpointError


@pytest.mark.parametrize('beside, inside', [(True, False), (False, True), (True, True)])
def test_the_description_is_found_beside_the_file_or_in_it(tmp_path, beside, inside):
    found = open_exported(write_exported(str(tmp_path / 'm.onnx'), 4, beside, inside))
    assert found.input_shape == (4, SIZE, SIZE, 3) and found.input_type == 'uint8' and found.input_name == 'image'
    assert found.inference.heatmap_size == CELLS and found.inference.flip_test and found.step == 7
    assert found.outputs == ('heatmaps',) and not found.gives_joints and found.manifest is None


def test_the_file_beside_it_counts_where_both_are_there(tmp_path):
    path = write_exported(str(tmp_path / 'm.onnx'), 1, beside=True)
    other = describe(1)
    other['step'] = 8
    with open(f'{path}.json', 'w') as stream:
        json.dump(other, stream)
    assert open_exported(path).step == 8


def test_metadata_is_read_among_every_type_of_field(tmp_path):
    path = str(tmp_path / 'm.onnx')
    other_types = fixed(90, 1.5) + varint(91 * 8 + 1) + b'12345678' + field(92, 2**63)
    with open(path, 'wb') as stream:
        stream.write(other_types + model(1, {'a': 'b', 'hourglass_pose': '\u4eba', 'long': 'x' * 300}) + other_types)
    assert read_metadata(path) == {'a': 'b', 'hourglass_pose': '\u4eba', 'long': 'x' * 300}


def test_metadata_of_the_onnx_package_is_read(tmp_path):
    onnx = pytest.importorskip('onnx', reason='the extra `onnx` is not installed')
    path = write_exported(str(tmp_path / 'm.onnx'))
    loaded = onnx.load(path)
    onnx.checker.check_model(loaded)
    loaded.metadata_props.add(key='more', value='yes')
    onnx.save(loaded, path)
    assert read_metadata(path)['more'] == 'yes' and open_exported(path).step == 7


def test_a_file_that_is_no_export_is_refused_in_one_line(tmp_path):
    def written(name, content):
        path = str(tmp_path / name)
        with open(path, 'wb') as stream:
            stream.write(content)
        return path

    whole = model(1, {'hourglass_pose': json.dumps(describe(1))})
    broken = describe(1)
    broken['inference'] = {key: value for key, value in broken['inference'].items() if key != 'sigma'}
    cases = (
        (str(tmp_path / 'none.onnx'), 'no such file'),
        (written('text.onnx', b'this is a text, not a model'), 'not an ONNX model'),
        (written('empty.onnx', b''), 'holds no description'),
        (written('other.onnx', model(1, {})), 'holds no description'),
        (written('cut.onnx', whole[:-40]), 'not an ONNX model'),
        (written('strange.onnx', model(1, {'hourglass_pose': '{]'})), 'description of the model cannot be read'),
        (written('list.onnx', model(1, {'hourglass_pose': '[]'})), 'description of the model cannot be read'),
        (written('lacks.onnx', model(1, {'hourglass_pose': json.dumps(broken)})), 'inference record'),
    )
    for path, message in cases:
        with pytest.raises(CheckpointError, match=message) as caught:
            open_exported(path)
        assert '\n' not in str(caught.value) and os.path.basename(path) in str(caught.value)


def test_every_truncation_of_a_model_is_read_or_refused(tmp_path):
    path = str(tmp_path / 'm.onnx')
    whole = model(1, {'hourglass_pose': json.dumps(describe(1))})
    for length in range(len(whole)):
        with open(path, 'wb') as stream:
            stream.write(whole[:length])
        with pytest.raises(CheckpointError):
            open_exported(path)
