"""The environment of a process among many: how many there are, where they meet, and by which key."""

import pytest

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.job_key import JOB_KEY, job_key
from hourglass_pose.runtime.ranks import RANK_PORT, rank_environment
from rank_tables import table_of, write_table


def refusal(function, *arguments, **options):
    with pytest.raises(ConfigError) as caught:
        function(*arguments, **options)
    assert '\n' not in str(caught.value)
    return str(caught.value)


def test_one_process_needs_nothing_of_the_environment():
    for environment in ({}, {'RANK_SIZE': '1', 'RANK_ID': '0'}, {'RANK_SIZE': '1', 'RANK_TABLE_FILE': '/gone'}):
        assert rank_environment(environment).num_ranks == 1


def test_ranks_of_one_server_meet_at_home_and_those_of_many_at_the_server_of_rank_0(tmp_path):
    environment = {'RANK_SIZE': '4', 'JOB_ID': '9', 'RANK_TABLE_FILE': write_table(tmp_path, table_of(range(4)))}
    found = rank_environment(environment)
    assert (found.num_ranks, found.key, found.port) == (4, b'9', RANK_PORT)
    assert rank_environment(dict(environment, HOURGLASS_RANK_PORT='31000')).port == 31000
    assert [found.meeting_host(rank) for rank in range(4)] == ['127.0.0.1'] * 4
    found = rank_environment(dict(environment, RANK_TABLE_FILE=write_table(tmp_path, table_of([2, 3], [0, 1]))))
    assert [found.meeting_host(rank) for rank in range(4)] == ['', '10.0.0.1', '10.0.0.1', '10.0.0.1']
    assert found.locations[3] == 'device 3 of server 10.0.0.0' and len(found.locations) == 4
    found = rank_environment({'CM_WORKER_SIZE': '2', 'JOB_ID': '9', 'CM_CHIEF_IP': '10.0.0.7'})
    assert [found.meeting_host(rank) for rank in range(2)] == ['', '10.0.0.7']


@pytest.mark.parametrize(
    'environment, what',
    [
        ({'RANK_SIZE': 'eight'}, 'RANK_SIZE'),
        ({'RANK_SIZE': '2', 'JOB_ID': '1'}, 'RANK_TABLE_FILE'),
        ({'RANK_SIZE': '2', 'JOB_ID': '1', 'CM_CHIEF_IP': 'a'}, 'CM_WORKER_SIZE'),
        ({'CM_WORKER_SIZE': '2', 'JOB_ID': '1', 'RANK_TABLE_FILE': 'TABLE'}, 'RANK_SIZE'),
        ({'RANK_SIZE': '2', 'CM_WORKER_SIZE': '2', 'JOB_ID': '1', 'CM_CHIEF_IP': 'a'}, 'not both'),
        ({'RANK_SIZE': '2', 'JOB_ID': '1', 'CM_CHIEF_IP': 'a', 'RANK_TABLE_FILE': 'TABLE'}, 'not both'),
        ({'RANK_SIZE': '2', 'RANK_TABLE_FILE': 'TABLE'}, 'JOB_ID'),
        ({'RANK_SIZE': '3', 'JOB_ID': '1', 'RANK_TABLE_FILE': 'TABLE'}, 'the ranks 0 to 2'),
        ({'RANK_SIZE': '2', 'JOB_ID': '1', 'RANK_TABLE_FILE': '/gone'}, '/gone'),
        (
            {'RANK_SIZE': '2', 'JOB_ID': '1', 'RANK_TABLE_FILE': 'TABLE', 'HOURGLASS_RANK_PORT': '99999'},
            'HOURGLASS_RANK_PORT',
        ),
    ],
)
def test_environment_that_is_incomplete_or_double_is_one_line(tmp_path, environment, what):
    path = write_table(tmp_path, table_of([0, 1]))
    assert what in refusal(
        rank_environment, {name: path if value == 'TABLE' else value for name, value in environment.items()}
    )


def test_the_key_is_the_secret_or_the_content_of_its_file_before_the_number_of_the_job(tmp_path):
    path = tmp_path / 'key'
    path.write_bytes(b'0123456789abcdef\n')
    assert job_key({'JOB_ID': '9'}) == b'9'
    assert job_key({'JOB_ID': '9', JOB_KEY: 'secret'}) == b'secret'
    assert job_key({'JOB_ID': '9', JOB_KEY: str(path)}) == b'0123456789abcdef'


def test_a_key_that_is_missing_unreadable_or_nearly_empty_is_one_line(tmp_path):
    (tmp_path / 'short').write_text('abc\n')
    for environment, expected in (
        ({}, 'JOB_ID'),
        ({JOB_KEY: str(tmp_path / 'gone')}, 'gone cannot be read'),
        ({JOB_KEY: str(tmp_path / 'short')}, 'at least 16 bytes'),
    ):
        message = refusal(job_key, environment)
        assert JOB_KEY in message and expected in message
