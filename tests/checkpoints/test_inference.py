"""InferenceRecord: it survives JSON, reads what earlier versions wrote, and names what it lacks."""

import json

import numpy as np
import pytest

from hourglass_pose.checkpoints.inference import InferenceRecord
from hourglass_pose.errors import CheckpointError

# As the manifests of earlier versions hold it.
EARLIER = {
    'joints': ['r_wrist', 'l_wrist', 'head'],
    'kept_joints': [True, True, False],
    'loss': 'softmax',
    'sigma': 2.0,
    'decoding': 'dark',
    'flip_test': True,
    'box_margin': 0.12,
    'mean_pose_crop': [[1.5, 2.0], [3.0, 4.0], [5.0, 6.0]],
}
NETWORK = {'input_size': 128, 'heatmap_size': 32, 'gives_probabilities': False}


def test_a_record_of_an_earlier_version_takes_the_sizes_of_the_network():
    record = InferenceRecord.from_dict(EARLIER, **NETWORK)
    assert record.crop_rule == 'box' and record.crop_corners == 'exact' and record.kept_joints == (True, True, False)
    assert record.skeleton().flip_permutation.tolist() == [1, 0, 2]
    assert record.codec().stride == 4 and record.codec().sigma_hm == 1.0
    assert record.rule().crop_size == 128 and record.rule().box_margin == 0.12


@pytest.mark.parametrize('mean_pose', [None, EARLIER['mean_pose_crop']])
def test_a_record_survives_json_and_its_own_sizes_win(mean_pose):
    record = InferenceRecord.from_dict(dict(EARLIER, mean_pose_crop=mean_pose), **NETWORK)
    text = json.dumps(record.as_dict())
    assert InferenceRecord.from_dict(json.loads(text)) == record
    assert InferenceRecord.from_dict(json.loads(text), input_size=64) == record
    hash(record)


def test_fields_of_a_later_version_are_passed_over():
    assert InferenceRecord.from_dict(dict(EARLIER, colour='green'), **NETWORK).loss == 'softmax'


@pytest.mark.parametrize(
    'values',
    [
        {},
        [],
        dict(EARLIER, joints=None),
        dict(EARLIER, joints=['neck', 'neck', 'head']),
        dict(EARLIER, joints=['r_wrist', 'l_wrist', 3]),
        dict(EARLIER, kept_joints=[True]),
        dict(EARLIER, flip_pairs=[['r_wrist', 'tail']]),
        dict(EARLIER, mean_pose_crop=[1, 2]),
        dict(EARLIER, mean_pose_crop=[[1, 2]]),
        dict(EARLIER, mean_pose_crop=[[1, 2], [3, 10**400], [5, 6]]),
        dict(EARLIER, input_size='128'),
        dict(EARLIER, heatmap_size=0),
        dict(EARLIER, sigma=None),
        dict(EARLIER, sigma=float('nan')),
        dict(EARLIER, box_margin=float('inf')),
        dict(EARLIER, loss='other'),
        dict(EARLIER, decoding=[]),
    ],
)
def test_a_record_that_lacks_a_field_or_has_a_wrong_value_is_a_checkpoint_error_of_one_line(values):
    with pytest.raises(CheckpointError, match='inference record') as caught:
        InferenceRecord.from_dict(values, **NETWORK)
    assert '\n' not in str(caught.value)


def test_logits_of_probabilities_are_the_inverse_of_the_sigmoid():
    logits = np.linspace(-20, 12, 33, dtype=np.float32)
    probabilities = (1 / (1 + np.exp(-logits.astype(np.float64)))).astype(np.float32)
    record = InferenceRecord.from_dict(EARLIER, **dict(NETWORK, gives_probabilities=True))
    # Near 1 a float32 has 2^-24 of it, which is exp(12) times as much of a logit of 12.
    assert np.abs(record.logits_of_output(probabilities) - logits).max() < 2.0**-24 * np.exp(12) + 1e-5
    plain = InferenceRecord.from_dict(EARLIER, **NETWORK)
    assert plain.logits_of_output(logits) is logits
