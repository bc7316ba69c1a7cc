"""TF_CONFIG: which process this is, where the processes meet, and what is refused in one line."""

import json

import pytest

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.cluster.spec import cluster_of_environment

WORKERS = ['a.example:2222', 'b.example:2222', '10.0.0.3:4000']


def cluster_of(cluster, kind='worker', index=0, **others):
    content = dict({'cluster': cluster, 'task': {'type': kind, 'index': index}}, **others)
    return cluster_of_environment({'TF_CONFIG': json.dumps(content)})


@pytest.mark.parametrize('text', ['', ' ', '{}', '{"task": {"type": "worker", "index": 0}}', '{"cluster": {}}'])
def test_no_cluster_is_a_single_process(text):
    assert cluster_of_environment({}) is None
    assert cluster_of_environment({'TF_CONFIG': text}) is None


def test_cluster_of_one_process_is_a_single_process():
    assert cluster_of({'worker': ['a:1']}) is None and cluster_of({'chief': ['a:1']}, 'chief') is None


@pytest.mark.parametrize('index', [0, 1, 2])
def test_workers_are_ranked_in_their_order(index):
    # As Kubeflow's TFJob writes it, with a key more.
    found = cluster_of({'worker': WORKERS}, index=index, environment='cloud')
    assert (found.rank, found.size, found.addresses) == (index, 3, tuple(WORKERS))
    assert [found.task(rank) for rank in range(3)] == [('worker', 0), ('worker', 1), ('worker', 2)]
    assert found.place(2) == 'worker 2 at 10.0.0.3:4000'


@pytest.mark.parametrize('kind, index, rank', [('chief', 0, 0), ('worker', 0, 1), ('worker', '1', 2)])
def test_chief_is_rank_0_and_the_workers_follow(kind, index, rank):
    # Wherever it is written.
    found = cluster_of({'worker': WORKERS[1:], 'chief': WORKERS[:1]}, kind, index)
    assert (found.rank, found.addresses, found.task(0), found.task(2)) == (
        rank,
        tuple(WORKERS),
        ('chief', 0),
        ('worker', 1),
    )


def test_processes_meet_above_the_ports_of_the_host_of_rank_0():
    assert cluster_of({'worker': WORKERS}).meeting_point() == ('a.example', 2223)
    assert cluster_of({'worker': WORKERS}).meeting_point(30000) == ('a.example', 30000)
    # Several processes of one host: no port is another's.
    here = ['127.0.0.1:2222', '127.0.0.1:2223', '127.0.0.1:2230', 'other:5000']
    assert cluster_of({'worker': here}).meeting_point() == ('127.0.0.1', 2231)
    with pytest.raises(ConfigError, match='no port is left'):
        cluster_of({'worker': ['a:65535', 'b:1']}).meeting_point()


@pytest.mark.parametrize(
    'cluster, kind, index, found',
    [
        ({'worker': WORKERS, 'ps': ['c:1']}, 'worker', 0, "no parameter servers.* found 'ps'"),
        ({'worker': WORKERS}, 'ps', 0, "no parameter servers.* found 'ps'"),
        ({'worker': WORKERS, 'evaluator': ['c:1']}, 'worker', 0, "no evaluator.* found 'evaluator'"),
        ({'worker': WORKERS}, 'evaluator', 0, "no evaluator.* found 'evaluator'"),
        ({'worker': WORKERS, 'master': ['c:1']}, 'worker', 0, "the jobs chief and worker, found 'master'"),
        ({'worker': WORKERS}, 'Worker', 0, "found 'Worker'"),
        ({'worker': WORKERS}, ['worker'], 0, r"found \['worker'\]"),
        ({'worker': WORKERS}, None, 0, 'found None'),
        ({'worker': WORKERS}, 'worker', 3, r'one of the cluster \(worker 0 to 2\), found worker 3'),
        ({'worker': WORKERS}, 'chief', 0, 'found chief 0'),
        ({'worker': WORKERS}, 'worker', -1, 'an index from 0, found -1'),
        ({'worker': WORKERS}, 'worker', True, 'an index from 0, found True'),
        ({'worker': WORKERS}, 'worker', None, 'an index from 0, found None'),
        ({'chief': WORKERS}, 'chief', 0, 'chief: expected one address, found 3'),
        ({'worker': []}, 'worker', 0, r'worker: expected a list of addresses.* found \[\]'),
        ({'worker': 'a:1'}, 'worker', 0, 'found a:1'),
        ({'worker': ['a']}, 'worker', 0, "found 'a'"),
        ({'worker': ['a:0']}, 'worker', 0, "found 'a:0'"),
        ({'worker': ['a:65536']}, 'worker', 0, "found 'a:65536'"),
        ({'worker': ['a:1', 7]}, 'worker', 0, 'found 7'),
        ({'worker': ['http://a:1', 'b:1']}, 'worker', 0, "found 'http://a:1'"),
        ({'worker': ['a:1', 'b:1', 'a:1']}, 'worker', 0, 'found a:1 twice'),
        ({'worker': ['a:1'], 'chief': ['a:1']}, 'worker', 0, 'found a:1 twice'),
        ([1], 'worker', 0, r'cluster: expected an object of jobs, found \[1\]'),
    ],
)
def test_wrong_cluster_is_refused_in_one_line(cluster, kind, index, found):
    with pytest.raises(ConfigError, match=found) as caught:
        cluster_of(cluster, kind, index)
    message = str(caught.value)
    assert message.startswith('environment: TF_CONFIG: ') and '\n' not in message and 'unset it' in message


@pytest.mark.parametrize('text', ['{', 'worker', '[]', '7', '{"cluster": {"worker": ["a:1", "b:1"]}}'])
def test_text_that_describes_no_process_is_refused_in_one_line(text):
    with pytest.raises(ConfigError) as caught:
        cluster_of_environment({'TF_CONFIG': text})
    assert '\n' not in str(caught.value) and 'TF_CONFIG' in str(caught.value)
