"""Progress in persons: epochs, positions and what manifests keep of them, also where batches changed."""

import pytest

from hourglass_pose.training.run_length import RunLength, earlier_world_size


def manifest_of(length, step, skipped=0):
    return {'global_step': step, 'skipped_steps': skipped, **length.as_manifest(step, skipped)}


def test_epochs_end_with_their_last_step_and_the_run_with_its_last_epoch():
    length = RunLength.of_new_run(3, 4, 16)
    assert (length.persons_per_epoch, length.total_persons, length.steps_per_epoch) == (64, 192, 4)
    assert [length.epochs_at(step) for step in (0, 3, 4, 7, 8, 11, 12, 13)] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [length.last_step_at(step) for step in (0, 5, 12, 13)] == [12, 12, 12, 13]
    assert length.position_at(5, 2) == 7 * 16


def test_length_continues_at_the_next_person_when_the_batch_changes_and_changes_back():
    first = RunLength.of_new_run(3, 4, 16)
    second = RunLength.of_resumed_run(manifest_of(first, 5, 1), 3, 8)
    assert (second.persons_at(5), second.position_at(5, 1)) == (80, 96)
    assert (second.persons_per_epoch, second.first_joint_batch, second.steps_per_epoch) == (64, 16, 8)
    # 112 persons are left: 14 steps of 8.
    assert second.last_step_at(5) == 19
    assert [second.epochs_at(step) for step in (5, 10, 11, 18, 19)] == [1, 1, 2, 2, 3]
    third = RunLength.of_resumed_run(manifest_of(second, 8, 3), 3, 16)
    assert (third.persons_at(8), third.position_at(8, 3)) == (104, 104 + 16 + 16)
    assert third.last_step_at(8) == 14 and third.total_persons == 192


def test_length_of_an_unchanged_batch_is_the_same_again():
    length = RunLength.of_new_run(5, 7, 6)
    assert RunLength.of_resumed_run(manifest_of(length, 9, 2), 5, 6) == length


def test_manifests_that_count_steps_are_understood_by_their_batch():
    earlier = {'global_step': 10, 'skipped_steps': 2, 'steps_per_epoch': 4}
    length = RunLength.of_resumed_run(earlier, 5, 8, earlier_joint_batch=16)
    assert (length.persons_at(10), length.position_at(10, 2)) == (160, 192)
    assert (length.persons_per_epoch, length.first_joint_batch, length.epochs_at(10)) == (64, 16, 2)
    same = RunLength.of_resumed_run({'global_step': 10, 'steps_per_epoch': 4}, 5, 16, 16)
    assert same == RunLength.of_new_run(5, 4, 16)


@pytest.mark.parametrize(
    'persons, batch, steps, now, expected', [(1000, 10, 100, 1, 1), (1000, 10, 12, 1, 8), (1000, 10, 12, 8, 8)]
)
def test_number_of_processes_follows_from_the_steps_of_an_epoch(persons, batch, steps, now, expected):
    assert earlier_world_size(persons, batch, steps, now) == expected
