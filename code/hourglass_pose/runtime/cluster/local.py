"""What makes processes of this machine one job: free ports, TF_CONFIG and the key for each of them."""

import json
import os
import random
import secrets
import socket
from contextlib import ExitStack
from typing import Dict, List, Mapping, Optional

from hourglass_pose.errors import LaunchError
from hourglass_pose.runtime.cluster.spec import TF_CONFIG, WORKER
from hourglass_pose.runtime.job_key import JOB_KEY

_THIS_HOST = '127.0.0.1'
_ATTEMPTS = 20

# Below the ports that the system assigns to outgoing connections, one of which could belong to a rank.
_PORTS = range(20000, 30000)


def free_ports(count: int) -> Optional[int]:
    """Return the first of some ports in a row that are free on this machine, at random; None if none is found."""
    for first in random.SystemRandom().sample(_PORTS, _ATTEMPTS):
        with ExitStack() as stack:
            try:
                for port in range(first, first + count):
                    stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_STREAM)).bind(('', port))
            except OSError:
                continue
            return first
    return None


def environments_of_workers(count: int, environ: Mapping[str, str] = os.environ) -> List[Dict[str, str]]:
    """Return what the environment of each of `count` workers on this machine needs besides that of this process.

    The key is drawn here unless environ has one. Raises LaunchError if there are no free ports.
    """
    # One more than the processes need, for their meeting.
    port = free_ports(count + 1)
    if port is None:
        raise LaunchError(f'no {count + 1} free ports in a row were found on this machine; try again')
    cluster = {WORKER: [f'{_THIS_HOST}:{port + rank}' for rank in range(count)]}
    key = environ.get(JOB_KEY) or secrets.token_hex(32)
    return [
        {TF_CONFIG: json.dumps({'cluster': cluster, 'task': {'type': WORKER, 'index': rank}}), JOB_KEY: key}
        for rank in range(count)
    ]
