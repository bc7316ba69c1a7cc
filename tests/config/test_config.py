"""Tests of reading, checking, overriding and writing a Config."""

import dataclasses
import json
import os

import pytest

from hourglass_pose.config.config import config_from_dict, format_config, load_config
from hourglass_pose.errors import ConfigError
from hourglass_pose.skeleton import SKELETONS


@pytest.fixture
def load(tmp_path, monkeypatch):
    """Return a function from text and overrides to a Config, read from config.cfg in the current folder."""
    monkeypatch.chdir(tmp_path)

    def load_text(text, overrides=()):
        (tmp_path / 'config.cfg').write_bytes(text if isinstance(text, bytes) else text.encode('utf-8'))
        return load_config('config.cfg', overrides)

    return load_text


def complaint(load, text, overrides=()):
    with pytest.raises(ConfigError) as caught:
        load(text, overrides)
    return str(caught.value)


def test_file_in_the_layout_of_the_original_code_loads(load):
    config = load("""
        [DataSetHG]
        training_txt_file: 'dataset.txt'
        img_directory: 'F:/people/images'
        img_size: 256
        hm_size: 64
        num_joints: 3
        remove_joints: None
        joint_list = ['r_anckle', 'l_anckle', 'head']
        [Network]
        nFeats: 128
        nStacks: 4 # two are enough
        mcam: False
        dropout_rate: 0.2
        [Train]
        learning_rate: 0.00025
        [Saver]
        log_dir_train: './logs/'
        log_dir_test: './logs/'
        saver_directory: ''
        """)
    assert config.DataSetHG.joint_list == ('r_ankle', 'l_ankle', 'head') and config.Network.outputDim == 3
    assert config.Network.nStack == 4 and config.Network.drop_rate == 0.2 and config.Train.lear_rate == 2.5e-4
    assert config.Saver.saver_directory == os.getcwd()


@pytest.mark.parametrize(
    'text, message',
    [
        ("[Train]\nbatch_size: 'four'", "config.cfg [Train] batch_size: expected an integer >= 1, found 'four'"),
        ('[network]\nnStacks: 0', 'config.cfg [network] nStacks: expected an integer >= 1, found 0'),
        (
            '[Train]\nbatchsize: 4',
            'config.cfg [Train] batchsize: unknown key, the nearest known key is batch_size of [Train]',
        ),
        (
            '[Network]\nlearningrate: 4',
            'config.cfg [Network] learningrate: unknown key, the nearest known key is learning_rate of [Train]',
        ),
        (
            '[Trian]\nbatch_size: 4',
            'config.cfg [Trian]: unknown section, the nearest is [Train]; there are '
            '[DataSetHG] [Network] [Train] [Validation] [Saver] [Device]',
        ),
        ("[Network]\noptimizer: 'adam'", 'config.cfg [Network] optimizer: the key belongs to [Train]; move it there'),
        (
            '[Train]\nnFeat: 64\n[Network]\nNFEATS: 64',
            'config.cfg [Network] NFEATS: the same key is already there as [Train] nFeat; keep one of them',
        ),
        ('[Train]\n[TRAIN]', 'config.cfg [TRAIN]: the section is already there as [Train]; join the two'),
        (
            '[DEFAULT]\nnStack: 2',
            'config.cfg [DEFAULT]: unknown section, the nearest is [DataSetHG]; there are '
            '[DataSetHG] [Network] [Train] [Validation] [Saver] [Device]',
        ),
        (
            '[Train]\nloss: mse',
            "config.cfg [Train] loss: expected 'softmax', 'mse', 'sigmoid' or 'integral', found mse",
        ),
        (
            "[Train]\nloss: 'integral'\nweighted_loss: False",
            "config.cfg [Train] weighted_loss: expected True, as loss 'integral' cannot train empty maps, found False",
        ),
        (
            "[Train]\nloss: 'integral'\n[Validation]\ndecoding: 'quarter'",
            "config.cfg [Validation] decoding: expected 'dark', the default, as loss 'integral' takes the mean cell "
            "and searches no peak, found 'quarter'",
        ),
        (
            '[Train]\nseed: 99999999999',
            'config.cfg [Train] seed: expected an integer >= 0 and < 2^31, found 99999999999',
        ),
        (
            '[Network]\nimg_size: 200',
            'config.cfg [Network] img_size: expected a multiple of 4 * 2^nLow = 64, for instance 192, found 200',
        ),
        ('[Network]\nhm_size: 32', 'config.cfg [Network] hm_size: expected None or img_size / 4 = 64, found 32'),
        (
            '[Train]\nnum_joints: 14',
            'config.cfg [Train] num_joints: expected None or the length of joint_list, 16, found 14',
        ),
        (
            '[Network]\nremove_joints: [1, 0]',
            'config.cfg [Network] remove_joints: expected None or an entry for '
            'each of the 16 joints of joint_list, found 2 entries',
        ),
        (
            "[DataSetHG]\ntraining_txt_file: ['a', 'b']",
            'config.cfg [DataSetHG] img_directory: expected as many folders as training_txt_file has files, 2, found 1',
        ),
        (
            '[DataSetHG]\ntraining_repeats: [3, 1]',
            'config.cfg [DataSetHG] training_repeats: expected None or a number for each of the 1 annotation files, '
            'found 2 numbers',
        ),
        (
            '[Network]\nmodif: True',
            "config.cfg [Network] modif: expected False, or arch 'modelzoo', found True with arch 'newell'",
        ),
        (
            '[Train]\nweight_decay: 1e-4',
            "config.cfg [Train] weight_decay: expected 0, or optimizer 'adamw', found 0.0001 with optimizer 'adam'",
        ),
        (
            "[DataSetHG]\nflip_pairs: [['left_eye', 'right_eye']]",
            'config.cfg [DataSetHG] flip_pairs: expected pairs of different joints of joint_list (flip_pairs names '
            "'left_eye', which is not a joint), found (('left_eye', 'right_eye'),)",
        ),
        (
            '[Network]\nperson: True',
            'config.cfg [DataSetHG] negative_prob: expected a number > 0 with person True, for instance 0.25, found 0',
        ),
        (
            '[DataSetHG]\nnegative_prob: 0.5',
            'config.cfg [DataSetHG] negative_prob: expected 0, or person True, found 0.5 with person False',
        ),
        (
            "[Network]\narch: 'modelzoo'\nperson: True\n[DataSetHG]\nnegative_prob: 0.5",
            "config.cfg [Network] person: expected False, or arch 'newell' or 'newell_attention', found True with arch "
            "'modelzoo'",
        ),
        ('[Train]\nbatch_size:', 'config.cfg [Train] batch_size: expected an integer >= 1, found nothing'),
    ],
)
def test_mistakes_are_named_in_one_line(load, text, message):
    assert complaint(load, text) == message


@pytest.mark.parametrize(
    'key, values',
    [
        ('Train.batch_size', ['True', '4.0', '-1', 'None', '1j', '2**3', '{}', '{[]}', 'b"4"', '4,', '0x']),
        ('Train.lear_rate', ['0', '1e999', '-1e999', '1e999-1e999', 'nan', 'inf', 'True', "'1'", '9' * 400]),
        ('Train.ema_decay', ['1', '-0.1', '1.5']),
        ('Train.milestones', ['[]', '[0.5, 0.5]', '[0.9, 0.1]', '[0, 0.5]', '[0.5, 1]', '0.5', "['a']"]),
        ('Network.tiny', ['0', '1', 'true', 'None', "'True'"]),
        ('Network.name', ["''", "'a/b'", "'a\\\\b'", "'.'", "'a\\nb'", "'\\0'", "'\\ud800'", 'hg', 'None']),
        ('Network.nFeat', ['2', '130']),
        ('Network.nLow', ['0', '7']),
        ('Network.stem_feat', ['64', '[64]', '[64, 127]', '[64, 0]', '[True, 2]', '[64, 128, 256, 2]']),
        ('Network.attention', ['2']),
        ('DataSetHG.joint_list', ['[]', "['a', 'a']", "['r_ankle', 'r_anckle']", "['']", '[1]', "'a'", '[[]]']),
        ('DataSetHG.remove_joints', ['[0] * 16', str([0] * 16), str([2] * 16), str([True] * 16), '16']),
        ('DataSetHG.training_txt_file', ["''", '[]', "['']", '[1]', 'a.txt', "'a\\0b'", 'None', "[['a']]"]),
        ('DataSetHG.valid_fraction', ['0', '1']),
        ('DataSetHG.skeleton', ["'hand'", 'None']),
        ('DataSetHG.split_by', ["'person'"]),
        ('DataSetHG.flip_pairs', ["['head', 'neck']", "[['head']]", "[['head', 'head']]", '[[1, 2]]']),
        ('DataSetHG.flip_pairs', ["[['head', 'neck'], ['neck', 'pelvis']]", "'head'", '[None]']),
        ('Train.patience', ['-1', 'None', '1.5', 'True']),
        ('Validation.best_by', ["'oks'", 'None']),
        ('Saver.log_dir_train', ['1', "['a']"]),
        ('Device.device', ["'tpu'", "['cpu']", "{'cpu': 1}"]),
    ],
)
def test_values_that_are_not_allowed_are_named(load, key, values):
    section, name = key.split('.')
    for value in values:
        message = complaint(load, f'[{section}]\n{name}: {value}')
        assert message.startswith(f'config.cfg [{section}] {name}: expected '), value
        assert '\n' not in message and ', found ' in message and message.isprintable()


def test_values_are_never_run(load, tmp_path):
    for value in ("__import__('os').mkdir('made')", "[__import__('os').mkdir('made')]", "f'{open(1)}'"):
        complaint(load, '[Network]\nname: ' + value)
        complaint(load, '', ['Network.nStack=' + value])
    assert not (tmp_path / 'made').exists()


def test_literals_that_overwhelm_the_parser_are_mistakes(load):
    for value in (
        '[' * 9000,
        '(' * 4000 + ')' * 4000,
        '-' * 9000 + '1',
        '{1:' * 3000,
        '1+' * 4000 + '1',
        '~' * 9000,
        'not ' * 2000,
        'lambda:' * 1000,
        '9' * 9000,
        '0x' + 'f' * 9000,
        '[' * 200000,
        "'%s'" % ('a' * 20000),
    ):
        assert len(complaint(load, '[Train]\nbatch_size: ' + value)) < 200


def test_files_that_are_no_configuration_are_named(load, tmp_path):
    for text in (
        b'\xff\xfe[\x00T\x00',
        b'\x89PNG\r\n\x1a\n\x00',
        'nStack: 2',
        '[Train]\nbatch_size',
        '[Train]\n= 4',
        '[Train]\n[Train]',
        '[Train]\nseed: 1\nseed: 1',
        '[Train\nseed: 1',
        '[]\nseed: 1',
        'x' * 2**21,
    ):
        message = complaint(load, text)
        assert message.startswith('config.cfg') and '\n' not in message and len(message) < 400
    for path in (str(tmp_path), str(tmp_path / 'none.cfg'), 'a\0b', str(tmp_path / 'config.cfg' / 'x'), 'a' * 5000):
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert '\n' not in str(caught.value) and 'cannot be read' in str(caught.value)


def test_all_mistakes_are_listed_up_to_ten(load):
    text = '[Train]\nbatch_size: 0\nseed: -1\nsed: 2\n[Trian]\n'
    assert [line.split(':')[0] for line in complaint(load, text, ['Train.nEpochs=0']).split('\n')] == [
        'config.cfg [Train] batch_size',
        'config.cfg [Train] seed',
        'config.cfg [Train] sed',
        'config.cfg [Trian]',
        '--set Train.nEpochs',
    ]
    many = complaint(load, '[Train]\n' + ''.join(f'wrong{i}: 1\n' for i in range(25))).split('\n')
    assert len(many) == 11 and many[-1] == '... and 15 more'


def test_paths_start_from_the_folder_of_the_file_and_overrides_from_the_current_one(tmp_path, monkeypatch):
    (tmp_path / 'there').mkdir()
    (tmp_path / 'there' / 'x.cfg').write_text(
        "[DataSetHG]\ntraining_txt_file: ['a', '../b']\nimg_directory: ('~/c', '/d')"
    )
    monkeypatch.chdir(tmp_path)
    config = load_config(os.path.join('there', 'x.cfg'), ['Saver.saver_directory=runs/é x'])
    assert config.DataSetHG.training_txt_file == (str(tmp_path / 'there' / 'a'), str(tmp_path / 'b'))
    assert config.DataSetHG.img_directory == (os.path.expanduser('~/c'), '/d')
    assert config.Saver.log_dir_train == str(tmp_path / 'runs' / 'é x' / 'log_train')


def test_overrides_take_literals_bare_words_and_lists_that_lost_their_quotes_to_the_shell(load):
    config = load(
        '[Train]\nbatch_size: 4',
        [
            'train.BATCH_SIZE=8',
            'Train.loss=mse',
            'Network.nStacks = 3',
            'Network.nStack=1',
            'Network.mcam=True',
            "DataSetHG.training_txt_file=['/a','/b=c']",
            'DataSetHG.img_directory=[/a b,/c]',
            'Saver.keep_last=7 # seven',
        ],
    )
    assert config.Train.batch_size == 8 and config.Train.loss == 'mse'
    assert config.Network.nStack == 1 and config.Network.attention is True
    assert config.DataSetHG.training_txt_file == ('/a', '/b=c')
    assert config.DataSetHG.img_directory == ('/a b', '/c')
    assert config.Saver.keep_last == 7
    assert load('', 'Train.seed=5').Train.seed == 5


@pytest.mark.parametrize(
    'override, message',
    [
        ('Train.batch_size=four', '--set Train.batch_size: expected an integer >= 1, found four'),
        ('Train.batchsize=4', '--set Train.batchsize: unknown key, the nearest known key is batch_size of [Train]'),
        (
            'lear_rate=4',
            '--set lear_rate: expected Section.key=value, for instance Train.lear_rate=4; found lear_rate=4',
        ),
        (
            'Train.seed',
            '--set Train.seed: expected Section.key=value, for instance Train.batch_size=8; found Train.seed',
        ),
        (
            'Training.seed=1',
            '--set Training.seed: unknown section, the nearest is [Train]; there are '
            '[DataSetHG] [Network] [Train] [Validation] [Saver] [Device]',
        ),
        (
            "DataSetHG.img_directory=['a'",
            "--set DataSetHG.img_directory: expected a folder in quotes, or a list of them, found ['a'",
        ),
        ('Network.hm_size=32', '--set Network.hm_size: expected None or img_size / 4 = 64, found 32'),
        ('Network.nStack=', '--set Network.nStack: expected an integer >= 1, found nothing'),
    ],
)
def test_mistakes_in_overrides_are_named(load, override, message):
    assert complaint(load, '', [override]) == message


def test_values_that_repeat_what_follows_from_others_follow_overrides(load):
    whole = format_config(load(''))
    config = load(
        whole,
        [
            'Network.img_size=128',
            'Network.nFeat=128',
            'Train.batch_size=4',
            'Saver.saver_directory=/other',
            "DataSetHG.joint_list=['a','b']",
        ],
    )
    assert (config.Network.hm_size, config.Network.stem_feat, config.Network.outputDim) == (32, (32, 64, 64), 2)
    assert config.Validation.valid_batch_size == 4 and config.Saver.log_dir_test == '/other/log_test'
    own = load(
        '[Network]\nstem_feat: [32, 64]\n[Saver]\nlog_dir_test: "/logs"',
        ['Network.nFeat=64', 'Saver.saver_directory=/other'],
    )
    assert own.Network.stem_feat == (32, 64, 64) and own.Saver.log_dir_test == '/logs'


@pytest.mark.parametrize('skeleton, joints', sorted(SKELETONS.items()))
def test_joints_are_those_of_the_skeleton_unless_they_are_listed(load, skeleton, joints):
    config = load(f"[DataSetHG]\nskeleton: '{skeleton}'")
    assert config.DataSetHG.joint_list == joints.joints and config.Network.outputDim == len(joints)
    own = load("[DataSetHG]\njoint_list: ['a', 'b']", [f'DataSetHG.skeleton={skeleton}'])
    assert own.DataSetHG.joint_list == ('a', 'b')
    # A file with every key, as manifests hold them, follows another skeleton, too.
    assert load(format_config(load('')), [f'DataSetHG.skeleton={skeleton}']).DataSetHG.joint_list == joints.joints


def test_pairs_have_the_spelling_of_the_joints(load):
    config = load("[DataSetHG]\nflip_pairs: (['r_anckle', 'l_anckle'], ('head', 'neck'))")
    assert config.DataSetHG.flip_pairs == (('r_ankle', 'l_ankle'), ('head', 'neck'))


def test_without_a_file_the_defaults_hold_and_lead_into_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    config = load_config(None, ['Train.seed=3', 'Network.modif=False'])
    assert config.Train.seed == 3 and config.Network.nStack == 2
    assert config.Saver.saver_directory == str(tmp_path / 'runs' / 'hourglass')
    assert config.DataSetHG.training_txt_file == (str(tmp_path / 'data' / 'mpii' / 'dataset.txt'),)
    with pytest.raises(ConfigError, match='--set Train.seed: expected an integer >= 0, found -1'):
        load_config(None, ['Train.seed=-1'])
    with pytest.raises(ConfigError, match=r'^--set Network.img_size: expected a multiple of 4 \* 2\^nLow = 128'):
        load_config(None, ['Network.nLow=5', 'Network.img_size=192'])


def test_attention_of_newell_is_the_architecture_newell_attention(load):
    by_flag = load('[Network]\nmcam: True\nattention_kernel: 5').hyperparameters()
    by_name = load("[Network]\narch: 'newell_attention'\nattention_kernel: 5").hyperparameters()
    assert (
        by_flag
        == by_name
        == load("[Network]\narch: 'newell_attention'\nattention: True\nattention_kernel: 5").hyperparameters()
    )
    assert (by_name.arch, by_name.attention_kernel) == ('newell_attention', 5)


def test_what_an_architecture_does_not_have_is_refused_unless_it_is_what_it_has_fixed(load):
    for line in ('nModules: 2', 'attention_kernel: 5', 'input_mean: [0.1, 0.2, 0.3]', 'stem_feat: [32, 64, 64]'):
        message = complaint(load, f"[Network]\narch: 'modelzoo'\n{line}")
        assert (
            message.startswith(f'config.cfg [Network] {line.split(":")[0]}: expected ') and "arch 'modelzoo'" in message
        )
    config = load("[Network]\narch: 'modelzoo'\nstem_feat: [64, 128]\ninput_mean: [0, 0, 0]\nattention_kernel: 1")
    assert config.Network.stem_feat == (64, 128, 128) and load(format_config(config)) == config


def test_stem_that_follows_from_the_features_may_be_given_itself(load):
    # A quarter of 20 is odd; only the channels of residual modules have to be halved.
    config = load('[Network]\nnFeat: 20\n')
    assert config.Network.stem_feat == (5, 10, 10) and load(format_config(config)) == config


@pytest.mark.parametrize('folder', ['/a%(b)s %', '/a\'b"c', '/tab\\t#;=:[x]', '/人/ é', '/a/../b'])
def test_text_and_dict_of_a_config_make_an_equal_config(load, folder):
    config = load(
        '[Network]\nattention: True\n[Train]\nlear_rate: 0.1234567890123456789\nsigma: 5e-324',
        [
            f'Saver.saver_directory={folder!r}',
            f'DataSetHG.img_directory={folder!r}',
            f'DataSetHG.joint_list={[folder, "b"]!r}',
            f'DataSetHG.flip_pairs={[[folder, "b"]]!r}',
        ],
    )
    assert load(format_config(config)) == config
    assert config_from_dict(json.loads(json.dumps(config.as_dict()))) == config


def test_dicts_are_checked_like_files():
    circle = []
    circle.append(circle)
    for section, keys in (
        ('Train', {'batch_size': 16**5000}),
        ('Train', {'seed': circle}),
        ('Train', {'sigma': float('nan')}),
        ('Train', {'clip_norm': float('inf')}),
        ('Train', {'lear_rate': 1, 'learning_rate': 1}),
        ('Train', {1: 1}),
        ('Train', []),
        ('Trian', {}),
        (3, {}),
    ):
        with pytest.raises(ConfigError, match='^manifest'):
            config_from_dict({section: keys}, source='manifest')
    with pytest.raises(ConfigError):
        config_from_dict(None)


def test_config_cannot_be_changed_or_misspelt():
    config = config_from_dict({})
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.Train.batch_size = 8
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.Train = None
    with pytest.raises(AttributeError):
        config.Train.batchsize
    assert hash(config) == hash(config_from_dict({}))
