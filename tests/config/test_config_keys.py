"""Tests of the declared keys: config.cfg states them, every spelling works, the document lists them."""

import ast
import configparser
import os

import pytest

from hourglass_pose.config.config import load_config
from hourglass_pose.config.keys import KEYS, SECTIONS
from hourglass_pose.config.reference import document_keys, reference_text
from hourglass_pose.skeleton import MPII_JOINTS

REFERENCE = os.path.join(os.path.dirname(os.path.abspath(__file__)), os.pardir, os.pardir, 'code', 'config.cfg')

# Every documented key: home section, name, other spelling, a value that is not the default, its loaded form.
DOCUMENTED = [
    ('DataSetHG', 'training_txt_file', None, "'/a.txt'", ('/a.txt',)),
    ('DataSetHG', 'img_directory', None, "['/pictures']", ('/pictures',)),
    (
        'DataSetHG',
        'joint_list',
        None,
        repr(['r_anckle'] + [f'joint{i}' for i in range(15)]),
        ('r_ankle',) + tuple(f'joint{i}' for i in range(15)),
    ),
    ('DataSetHG', 'remove_joints', None, repr([0, 1] * 8), (0, 1) * 8),
    ('Network', 'name', None, "'hg_refined'", 'hg_refined'),
    ('Network', 'nStack', 'nStacks', '4', 4),
    ('Network', 'nFeat', 'nFeats', '128', 128),
    ('Network', 'nLow', None, '3', 3),
    ('Network', 'nModules', None, '2', 2),
    ('Network', 'outputDim', 'num_joints', '16', 16),
    ('Network', 'img_size', None, '128', 128),
    ('Network', 'hm_size', None, '64', 64),
    ('Network', 'drop_rate', 'dropout_rate', '0.2', 0.2),
    ('Network', 'tiny', None, 'True', True),
    ('Network', 'attention', 'mcam', 'True', True),
    ('Network', 'modif', None, 'True', True),
    ('Train', 'training', None, 'False', False),
    ('Train', 'batch_size', None, '4', 4),
    ('Train', 'nEpochs', None, '200', 200),
    ('Train', 'epoch_size', None, '1000', 1000),
    ('Train', 'lear_rate', 'learning_rate', '0.00025', 0.00025),
    ('Train', 'decay', 'learning_rate_decay', '1', 1.0),
    ('Train', 'decay_step', None, '3000', 3000),
    ('Train', 'w_summary', None, 'True', True),
    ('Train', 'weighted_loss', None, 'False', False),
    ('Validation', 'valid_iteration', None, '10', 10),
    ('Saver', 'log_dir_train', None, "'/logs'", '/logs'),
    ('Saver', 'log_dir_test', None, "'/logs'", '/logs'),
    ('Saver', 'saver_step', None, '500', 500),
    ('Saver', 'saver_directory', None, "'/runs'", '/runs'),
]


def load(folder, text, overrides=()):
    (folder / 'config.cfg').write_text(text, encoding='utf-8')
    return load_config(str(folder / 'config.cfg'), overrides)


def test_reference_file_states_every_key_once_with_its_default_and_what_is_allowed():
    with open(REFERENCE, encoding='utf-8') as stream:
        text = stream.read()
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str
    parser.read_string(text)
    assert parser.sections() == list(SECTIONS)
    for section in SECTIONS:
        assert list(parser[section]) == [key.name for key in KEYS if key.section == section]
    for key in KEYS:
        default = list(key.default) if isinstance(key.default, tuple) else key.default
        assert ast.literal_eval(parser[key.section][key.name]) == default, key.name
        comment = text[: text.index(f'\n{key.name}: ')].split('\n\n')[-1]
        assert all(line.startswith('# ') for line in comment.split('\n')), key.name
        comment = comment.replace('\n# ', ' ')
        assert key.effect[1:] in comment and f'Allowed: {key.rule.allowed}.' in comment, key.name
        assert key.other in comment and key.note in comment, key.name


def test_reference_file_is_the_text_that_the_declarations_make():
    with open(REFERENCE, encoding='utf-8') as stream:
        assert stream.read() == reference_text()


def test_reference_file_equals_the_defaults_with_derived_values_filled_in():
    root = os.path.dirname(os.path.dirname(os.path.abspath(REFERENCE)))
    config = load_config(REFERENCE)
    assert config.Network.outputDim == len(MPII_JOINTS) and config.DataSetHG.joint_list == MPII_JOINTS
    assert (config.Network.hm_size, config.Network.stem_feat) == (64, (64, 128, 128))
    assert config.Validation.valid_batch_size == config.Train.batch_size == 16
    assert config.DataSetHG.img_directory == (os.path.join(root, 'data', 'mpii', 'images'),)
    assert config.Saver.log_dir_test == os.path.join(root, 'runs', 'hourglass', 'log_test')
    assert type(config.DataSetHG.rotation_deg) is float and type(config.Train.nEpochs) is int


def test_new_keys_have_the_defaults_that_change_nothing():
    config = load_config(REFERENCE)
    assert (config.Train.patience, config.Validation.best_by) == (0, 'auto')
    assert (config.DataSetHG.skeleton, config.DataSetHG.flip_pairs, config.DataSetHG.split_by) == (
        'mpii',
        None,
        'image',
    )


def test_empty_file_is_the_reference_experiment(tmp_path):
    with open(REFERENCE, encoding='utf-8') as stream:
        assert load(tmp_path, '') == load(tmp_path, stream.read())


@pytest.mark.parametrize('home, name, other, text, value', DOCUMENTED, ids=[row[1] for row in DOCUMENTED])
def test_documented_keys_work_in_any_spelling_case_and_section(tmp_path, home, name, other, text, value):
    for spelling in (name, name.upper(), other or name, (other or name).lower()):
        for section in SECTIONS:
            for written in (section, section.lower()):
                config = load(
                    tmp_path,
                    f'[{written}]\n{spelling} = {text}\n',
                    {'modif': ['Network.arch=modelzoo'], 'weighted_loss': ['Train.loss=mse']}.get(name, []),
                )
                assert getattr(getattr(config, home), name) == value


def test_document_has_a_row_for_every_key():
    rows = [line.split('|') for line in document_keys().split('\n') if line.startswith('| `')]
    assert [tuple(cell.strip(' `') for cell in row[1:3]) for row in rows] == [(key.name, key.other) for key in KEYS]
    assert all(len(row) == 7 and row[4].strip() and row[5].strip() for row in rows)
