"""Processes on CPUs that train together by TF_CONFIG: fixtures and what describes them."""

import json

from hourglass_pose.runtime.cluster.local import free_ports
from stand_in_device import start_ranks  # noqa: F401  (the fixture that the processes are started by)


def tf_config(count, rank='<rank>', has_chief=False, port=None):
    """Return the TF_CONFIG of a rank of `count` processes on this host."""
    port = port or free_ports(count + 1)
    addresses = [f'127.0.0.1:{port + number}' for number in range(count)]
    cluster = {'chief': addresses[:1], 'worker': addresses[1:]} if has_chief else {'worker': addresses}
    text = json.dumps({'cluster': cluster, 'task': {'type': 'worker', 'index': 'RANK'}})
    return text.replace('"RANK"', f'"{rank}"')


def worker_environment(count, **environment):
    """Return the environment of `count` workers that Ranks start; <rank> stands for the rank."""
    return dict(TF_CONFIG=tf_config(count), HOURGLASS_JOB_KEY='the key of the tests', **environment)
