"""Several ranks on stand-ins for Ascend devices: what each does, and that together they are one training."""

import json

import pytest
from stand_in_device import start_ranks  # noqa: F401  (fixture)


@pytest.mark.parametrize('state', ['A21', 'A23'])
def test_ranks_start_alike_average_gradients_and_skip_together(tmp_path, start_ranks, state):  # noqa: F811
    # Rank 2 alone overflows in the second step, and all three leave it out.
    with start_ranks(3, tmp_path / 'job', 'descending_ranks.py', 4, HOURGLASS_STAND_IN=state,
               HOURGLASS_STAND_IN_OVERFLOW='1@2') as ranks:
        assert ranks.wait() == [0, 0, 0], ranks.logs()
        logs = [json.loads(ranks.log(rank)) for rank in range(3)]
    # The mean of the gradients w - 0, w - 1 and w - 2 is w - 1, and rank 0 starts at 3; the others' start is lost.
    assert logs[0] == logs[1] == logs[2] == [[2, 1, 8], [2, 1, 4], [1.5, 2, 4], [1.25, 3, 4]]


def test_training_without_a_broadcast_is_refused(tmp_path, start_ranks):  # noqa: F811
    with start_ranks(2, tmp_path / 'job', 'descending_ranks.py', 1, 'careless') as ranks:
        assert ranks.wait() == [1, 1]
        assert 'before the variables were broadcast' in ranks.log(0)
