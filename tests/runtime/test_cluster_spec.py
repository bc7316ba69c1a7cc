"""TF_CONFIG: which process this is, where the processes meet, and what is refused in one line."""

import json
import os
import re
import subprocess

import pytest
from conftest import CODE

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
    assert found.location(2) == 'worker 2 at 10.0.0.3:4000'


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


def documented(beginning):
    """Return the first block of docs/workers.md that begins so."""
    with open(os.path.join(os.path.dirname(CODE), 'docs', 'workers.md'), encoding='utf-8') as stream:
        blocks = re.findall(r'(?s)```\w*\n(.*?)```', stream.read())
    return next(block for block in blocks if block.startswith(beginning))


def test_slurm_script_of_the_docs_gives_each_process_its_place(tmp_path):
    programs = {
        'scontrol': '[ "$1 $2 $3" = "show hostnames node[1-4]" ] && printf "node%s\\n" 1 2 3 4',
        # Every task runs the command behind the options.
        'srun': 'shift; for SLURM_PROCID in 0 1 2 3; do export SLURM_PROCID; "$@"; done',
        'python': 'printf "%s\\n" "$TF_CONFIG"; [ -n "$HOURGLASS_JOB_KEY" ] && [ -f "$1" ]',
    }
    for name, text in programs.items():
        (tmp_path / name).write_text(f'#!/bin/bash\n{text}\n')
        (tmp_path / name).chmod(0o755)
    environment = {
        'PATH': f'{tmp_path}{os.pathsep}{os.environ["PATH"]}',
        'HOME': str(tmp_path),
        'SLURM_JOB_NODELIST': 'node[1-4]',
        'SLURM_CPUS_ON_NODE': '8',
    }
    done = subprocess.run(
        ['bash', '-euc', documented('#!/bin/bash')],
        env=environment,
        cwd=os.path.dirname(CODE),
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    found = [cluster_of_environment({'TF_CONFIG': line}) for line in done.stdout.splitlines()]
    assert [cluster.rank for cluster in found] == [0, 1, 2, 3]
    assert {cluster.addresses for cluster in found} == {tuple(f'node{number}:2222' for number in range(1, 5))}
    assert found[3].meeting_point() == ('node1', 2223)


def test_commands_of_the_docs_by_hand_give_the_first_process_its_place(tmp_path):
    (tmp_path / 'job.key').write_text('0123456789abcdef')
    lines = documented('export HOURGLASS_JOB_KEY').splitlines()
    script = '\n'.join(lines[:2] + ['printf "%s" "$TF_CONFIG"'])
    done = subprocess.run(['bash', '-euc', script], env={'HOME': str(tmp_path)}, stdout=subprocess.PIPE, text=True)
    found = cluster_of_environment({'TF_CONFIG': done.stdout})
    assert (found.rank, found.addresses) == (0, ('host-a:2222', 'host-b:2222'))
