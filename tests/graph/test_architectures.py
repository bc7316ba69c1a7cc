"""The table of architectures: what it accepts, what earlier versions wrote, and that it alone has to be extended."""

import subprocess
import sys
from dataclasses import fields

import numpy as np
import pytest
from conftest import CODE, TESTS

from hourglass_pose import HourglassModel
from hourglass_pose.graph.architectures import (
    ARCHITECTURES,
    find_architecture,
    hyperparameters_from_dict,
    make_hyperparameters,
)
from hourglass_pose.graph.hyperparameters import HyperparameterError, Hyperparameters
from hourglass_pose.graph.summary import summarise_network
from hourglass_pose.tf_compat import tf
from toy_network import ToyHyperparameters

# What the record of all architectures held, with the values of a network of each kind.
FORMER = {
    'num_stacks': 2,
    'num_features': 128,
    'num_poolings': 3,
    'num_modules': 1,
    'num_joints': 14,
    'input_size': 128,
    'tiny': False,
    'attention': False,
    'modif': False,
    'drop_rate': 0.25,
}
FORMER_NEWELL = dict(
    FORMER, stem_features=[32, 64, 64], attention_kernel=11, attention_iterations=3, input_mean=[0.5, 0.4, 0.3]
)
FORMER_MODELZOO = dict(
    FORMER,
    arch='modelzoo',
    stem_features=[64, 128, 64],
    attention_kernel=1,
    attention_iterations=3,
    input_mean=[0.0, 0.0, 0.0],
)
COMMON = dict(num_stacks=2, num_features=128, num_poolings=3, num_joints=14, input_size=128, drop_rate=0.25)
NEWELL = dict(COMMON, num_modules=1, stem_features=(32, 64, 64), input_mean=(0.5, 0.4, 0.3))


@pytest.mark.parametrize(
    'former, arch, values',
    [
        (dict(FORMER_NEWELL, arch='newell', attention_kernel=5), 'newell', NEWELL),
        (dict(FORMER_NEWELL, arch='newell', tiny=True), 'newell', dict(NEWELL, tiny=True)),
        (FORMER_NEWELL, 'newell', NEWELL),
        (
            dict(FORMER_NEWELL, arch='newell', attention=True, attention_kernel=5, num_modules=2),
            'newell_attention',
            dict(NEWELL, attention_kernel=5, attention_iterations=3, num_modules=2),
        ),
        (FORMER_MODELZOO, 'modelzoo', COMMON),
        (dict(FORMER_MODELZOO, tiny=True, modif=True), 'modelzoo', dict(COMMON, tiny=True, modif=True)),
        (
            dict(FORMER_MODELZOO, attention=True, num_features=256, stem_features=[64, 128, 128]),
            'modelzoo',
            dict(COMMON, attention=True, num_features=256),
        ),
    ],
    ids=['newell', 'tiny', 'unnamed', 'attention', 'modelzoo', 'modelzoo-tiny-modif', 'modelzoo-attention'],
)
def test_manifests_of_earlier_versions_name_the_networks_of_today(former, arch, values):
    found = hyperparameters_from_dict(former)
    assert type(found) is ARCHITECTURES[arch] and found.arch == arch
    for name, value in values.items():
        assert getattr(found, name) == value, name
    assert hyperparameters_from_dict(found.as_dict()) == found


def test_a_name_in_the_table_is_the_architectures_own():
    assert all(name == architecture.arch for name, architecture in ARCHITECTURES.items())


def test_a_hyperparameter_of_several_architectures_has_one_declaration():
    declared = {}
    for architecture in ARCHITECTURES.values():
        for field in fields(architecture):
            earlier = declared.setdefault(field.name, field)
            assert (earlier.default, earlier.metadata) == (field.default, field.metadata)


def test_unknown_names_are_refused_with_those_there_are():
    for call in (make_hyperparameters, lambda arch: hyperparameters_from_dict({'arch': arch})):
        with pytest.raises(HyperparameterError, match="arch: expected 'newell', .* or 'modelzoo', found 'resnet'"):
            call('resnet')
    with pytest.raises(HyperparameterError, match="modif: expected no such hyperparameter with arch 'newell'"):
        make_hyperparameters(modif=True)
    with pytest.raises(HyperparameterError, match='colour'):
        hyperparameters_from_dict(dict(FORMER_NEWELL, colour=3))


def test_attention_may_be_a_flag_of_newell():
    assert find_architecture('newell', {'attention': True}) is ARCHITECTURES['newell_attention']
    assert make_hyperparameters(attention=True) == make_hyperparameters(arch='newell_attention')
    assert make_hyperparameters(attention=False) == make_hyperparameters()


@pytest.fixture
def toy(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, 'toy', ToyHyperparameters)
    return make_hyperparameters(arch='toy', toy_width=6, num_joints=3, input_size=16)


def test_a_new_line_in_the_table_is_a_network_that_can_be_summarised_and_trained(toy, rng):
    assert hyperparameters_from_dict(toy.as_dict()) == toy
    summary = summarise_network(toy)
    # A 7x7 convolution of three channels with batch norm, and a 1x1 to three joints.
    assert summary.parameters == (7 * 7 * 3 * 6 + 6) + 2 * 6 + (6 * 3 + 3)
    assert summary.describe().startswith('toy, 3 joints, input 16, heatmaps 4: ')
    images = rng.randint(0, 256, (2, 16, 16, 3)).astype(np.uint8)
    with tf.Graph().as_default(), tf.Session() as session:
        model = HourglassModel(toy)
        feed = model.declare_images(2)
        logits = model.build_logits(feed, is_training=True)
        assert logits.shape.as_list() == [2, 1, 4, 4, 3]
        loss = tf.reduce_mean(tf.square(logits - 1.0))
        step = tf.train.GradientDescentOptimizer(0.01).minimize(loss)
        session.run(tf.global_variables_initializer())
        before = session.run(loss, {feed: images})
        session.run(step, {feed: images})
        assert session.run(loss, {feed: images}) < before


def test_a_new_line_in_the_table_is_a_choice_of_the_configuration_with_keys_of_its_own():
    program = f"""
import sys
sys.path[:0] = [{CODE!r}, {TESTS!r} + '/support']
from hourglass_pose.graph.architectures import ARCHITECTURES
from toy_network import ToyHyperparameters
ARCHITECTURES['toy'] = ToyHyperparameters
from hourglass_pose.config.config import config_from_dict
from hourglass_pose.config.reference import document_keys
from hourglass_pose.errors import ConfigError
toy = {{'arch': 'toy', 'img_size': 16}}
assert config_from_dict({{'Network': dict(toy, toy_width=6)}}).hyperparameters().toy_width == 6
assert "| `toy_width` |  | `4` | an integer >= 1 | channels of the toy; arch 'toy' only |" in document_keys()
assert "'newell', 'newell_attention', 'modelzoo' or 'toy'" in document_keys()
for wrong in (dict(toy, toy_width=17), dict(toy, nStack=3), {{'toy_width': 5}}):
    try:
        config_from_dict({{'Network': wrong}})
    except ConfigError as error:
        print(error)
"""
    lines = subprocess.run(
        [sys.executable, '-c', program], stdout=subprocess.PIPE, text=True, check=True
    ).stdout.splitlines()
    assert lines == [
        'config [Network] toy_width: expected at most img_size, found 17',
        "config [Network] nStack: expected 2, or arch 'newell' or 'newell_attention' or 'modelzoo', "
        "found 3 with arch 'toy'",
        "config [Network] toy_width: expected 4, or arch 'toy', found 5 with arch 'newell'",
    ]


def test_every_network_of_the_table_can_be_built_with_its_defaults():
    for name, architecture in ARCHITECTURES.items():
        assert isinstance(make_hyperparameters(arch=name), Hyperparameters) and architecture.title
