"""The processes of a training as TF_CONFIG describes them, the variable of TensorFlow's distributed runtime."""

import os
import re
from dataclasses import dataclass
from typing import Any, List, Mapping, Optional, Tuple

from hourglass_pose.errors import ConfigError, excerpt
from hourglass_pose.files import parse_json

TF_CONFIG = 'TF_CONFIG'

CHIEF, WORKER = 'chief', 'worker'
_REFUSED = {
    'ps': 'there are no parameter servers, as the workers exchange gradients with each other',
    'evaluator': 'there is no evaluator, as the workers validate after each epoch',
}
_ADDRESS = re.compile(r'^([A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?):([0-9]{1,5})$')
_HIGHEST_PORT = 65535


@dataclass(frozen=True)
class Cluster:
    """The processes of a job: the chief, if there is one, and then the workers. Rank 0 is the first of them.

    jobs: ((name, addresses 'host:port'), ...) in the order of the ranks. rank: of this process.
    """

    jobs: Tuple[Tuple[str, Tuple[str, ...]], ...]
    rank: int

    @property
    def addresses(self) -> Tuple[str, ...]:
        """The addresses of TensorFlow in all processes, by rank."""
        return tuple(address for _, addresses in self.jobs for address in addresses)

    @property
    def size(self) -> int:
        """Number of processes."""
        return len(self.addresses)

    def task(self, rank: int) -> Tuple[str, int]:
        """Return (name of the job, index in the job) of a rank."""
        return [(name, index) for name, addresses in self.jobs for index in range(len(addresses))][rank]

    def location(self, rank: int) -> str:
        """Return where a rank is, for messages."""
        name, index = self.task(rank)
        return f'{name} {index} at {self.addresses[rank]}'

    def meeting_point(self, port: Optional[int] = None) -> Tuple[str, int]:
        """Return host and port where rank 0 waits for the others, next to TensorFlow's port.

        port: as configured; None stands for the port above the highest one that TensorFlow uses at this host, so that
        workers of one host do not take it.
        """
        host = host_and_port(self.addresses[0])[0]
        used = [port for other, port in map(host_and_port, self.addresses) if other == host]
        if port is None and max(used) == _HIGHEST_PORT:
            raise ConfigError(
                f'environment: {TF_CONFIG}: {self.addresses[0]}: no port is left above {_HIGHEST_PORT}, where the '
                'processes meet; choose lower ports, or set Device.rank_port'
            )
        return host, max(used) + 1 if port is None else port


def host_and_port(address: str) -> Tuple[str, int]:
    """Return the host and the port of an address 'host:port'."""
    host, _, port = address.rpartition(':')
    return host, int(port)


def cluster_of_environment(environment: Mapping[str, str] = os.environ) -> Optional[Cluster]:
    """Return the Cluster of TF_CONFIG; None where it is not set, or describes a single process.

    Raises:
        ConfigError: it is no valid description, or it has other jobs than chief and worker.
    """
    text = environment.get(TF_CONFIG, '').strip()
    if not text:
        return None
    try:
        content = parse_json(text)
    except ValueError as error:
        raise _wrong(f'expected JSON ({error})', excerpt(text))
    if not isinstance(content, dict):
        raise _wrong('expected a JSON object with cluster and task', excerpt(text))
    cluster, task = content.get('cluster'), content.get('task')
    if not cluster:
        return None
    if not isinstance(cluster, dict):
        raise _wrong('cluster: expected an object of jobs', excerpt(str(cluster)))
    jobs = tuple((name, _addresses(cluster, name)) for name in (CHIEF, WORKER) if name in cluster)
    _require_known(list(cluster))
    if not isinstance(task, dict):
        raise _wrong('task: expected {"type": "worker", "index": 0} or another of the cluster', excerpt(str(task)))
    kind: Any = task.get('type')
    index = _index(task.get('index'))
    _require_known([kind])
    _require_distinct(jobs)
    starts = {name: sum(len(addresses) for _, addresses in jobs[:number]) for number, (name, _) in enumerate(jobs)}
    sizes = {name: len(addresses) for name, addresses in jobs}
    if not index < sizes.get(kind, 0):
        known = ', '.join(f'{name} 0 to {size - 1}' for name, size in sizes.items())
        raise _wrong(f'task: expected one of the cluster ({known})', f'{kind} {index}')
    return Cluster(jobs, starts[kind] + index) if sum(sizes.values()) > 1 else None


def _addresses(cluster: Mapping[str, Any], name: str) -> Tuple[str, ...]:
    found = cluster[name]
    if not isinstance(found, list) or not found:
        raise _wrong(f'cluster: {name}: expected a list of addresses "host:port"', excerpt(str(found)))
    if name == CHIEF and len(found) > 1:
        raise _wrong('cluster: chief: expected one address', f'{len(found)}')
    for address in found:
        match = _ADDRESS.match(address) if isinstance(address, str) else None
        if not match or not 0 < int(match.group(3)) <= _HIGHEST_PORT:
            raise _wrong(f'cluster: {name}: expected addresses "host:port" with a port up to 65535', repr(address))
    return tuple(found)


def _require_known(names: List[Any]) -> None:
    for name in names:
        if isinstance(name, str) and name in _REFUSED:
            raise _wrong(f'expected the jobs chief and worker alone, as {_REFUSED[name]}', repr(name))
        if name not in (CHIEF, WORKER):
            raise _wrong('expected the jobs chief and worker', repr(name))


def _require_distinct(jobs: Tuple[Tuple[str, Tuple[str, ...]], ...]) -> None:
    addresses = [address for _, each in jobs for address in each]
    for address in addresses:
        if addresses.count(address) > 1:
            raise _wrong('cluster: expected another address for each process', f'{address} twice')


def _index(found: Any) -> int:
    if isinstance(found, bool) or not str(found).isdigit():
        raise _wrong('task: expected an index from 0', repr(found))
    return int(found)


def _wrong(expected: str, found: str) -> ConfigError:
    return ConfigError(
        f'environment: {TF_CONFIG}: {expected}, found {found}; correct it in every process, or unset it to train in one'
    )
