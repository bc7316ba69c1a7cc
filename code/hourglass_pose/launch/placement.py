"""Placement: the processes that run on this server, out of device numbers, a rank table or the environment."""

import os
import re
from dataclasses import dataclass
from typing import Any, Optional, Tuple

from hourglass_pose.errors import LaunchError
from hourglass_pose.launch.rank_table import (
    Place,
    address_of_this_server,
    is_here,
    read_rank_table,
    table_of_one_server,
)

RANK_TABLE = 'rank_table.json'

# The other way to tell who takes part; npu_bridge and HCCL refuse both ways at once.
_CM_VARIABLES = ('CM_CHIEF_IP', 'CM_CHIEF_PORT', 'CM_CHIEF_DEVICE', 'CM_WORKER_SIZE', 'CM_WORKER_IP')


@dataclass(frozen=True)
class Placement:
    """Processes of a run. here: Places of this server. size: processes on all servers.

    table_path: file of the rank table, None with one process. table: what is to be written there, None where the
    file is there already. problem: why the table could not be made, or None.
    """

    here: Tuple[Place, ...]
    size: int
    table_path: Optional[str] = None
    table: Any = None
    problem: Optional[str] = None


def place_processes(arguments, environ, output):
    """Return the Placement for parsed arguments. output: folder of a rank table that is to be written.

    Raises LaunchError for arguments that contradict each other or the rank table.
    """
    asked = asked_devices(arguments)
    path = arguments.rank_table or environ.get('RANK_TABLE_FILE')
    if path:
        name = '--rank_table' if arguments.rank_table else 'RANK_TABLE_FILE'
        placement = _by_table(os.path.abspath(path), name, arguments.server_id, asked)
    else:
        placement = _on_this_server(arguments, environ, asked, output)
    if arguments.rank_size not in (None, placement.size):
        raise LaunchError(
            '--rank_size=%d: %d processes follow from %s; leave one of them out'
            % (arguments.rank_size, placement.size, f'{name} {path}' if path else '--device_ids')
        )
    others = [name for name in _CM_VARIABLES if environ.get(name)]
    if others:
        raise LaunchError(
            '{} is set, which excludes the RANK_SIZE and rank table of these processes: unset {}'.format(
                others[0], ' '.join(others)
            )
        )
    return placement


def asked_devices(arguments):
    """Return the devices of --device_ids or --device_id, or None."""
    devices = None
    if arguments.device_ids is not None:
        devices = []
        for part in arguments.device_ids.split(','):
            match = re.match(r'^\s*(\d+)(?:-(\d+))?\s*$', part)
            if not match:
                raise LaunchError(
                    f"--device_ids: expected numbers such as 0,1,2,3 or 0-7, found '{arguments.device_ids}'"
                )
            first, last = match.group(1), match.group(2) or match.group(1)
            devices += range(int(first), int(last) + 1)
        if len(set(devices)) != len(devices) or not devices:
            raise LaunchError(f"--device_ids: expected each device once, found '{arguments.device_ids}'")
    if arguments.device_id is not None:
        if devices not in (None, [arguments.device_id]):
            raise LaunchError(
                '--device_id=%d and --device_ids=%s: give one of them' % (arguments.device_id, arguments.device_ids)
            )
        devices = [arguments.device_id]
    return devices


def _by_table(path, name, server_id, asked):
    table = read_rank_table(path)
    server = server_id
    if server is None:
        near = [each for each in table.servers if is_here(each)] if len(table.servers) > 1 else table.servers
        if len(near) != 1:
            raise LaunchError(
                '{} {}: which of its servers this is cannot be told by the address; say so by --server_id={}'.format(
                    name, path, ' or '.join(table.servers)
                )
            )
        server = near[0]
    elif server not in table.servers:
        raise LaunchError(f'--server_id={server}: the rank table {path} has {", ".join(table.servers)}')
    here = table.on(server)
    devices = sorted(place.device for place in here)
    if asked is not None and sorted(asked) != devices:
        raise LaunchError(
            f'{name} {path}: its devices on this server are {_listed(devices)}, asked for are {_listed(asked)}; '
            f'leave out the devices or the '
            'table'
        )
    return Placement(here, len(table.places), path if len(table.places) > 1 else None)


def _on_this_server(arguments, environ, asked, output):
    if asked is None:
        size = arguments.rank_size or 1
        asked = list(range(size)) if size > 1 else [_device_of_environment(environ)]
    server = arguments.server_id or address_of_this_server()
    here = tuple(Place(rank, server, device) for rank, device in enumerate(asked))
    if len(here) == 1:
        return Placement(here, 1)
    try:
        table, problem = table_of_one_server(asked, server, arguments.hccn_conf), None
    except LaunchError as error:
        table, problem = None, str(error)
    return Placement(here, len(here), os.path.join(output, RANK_TABLE), table, problem)


def _device_of_environment(environ):
    """ASCEND_DEVICE_ID comes before DEVICE_ID for the adapter, too."""
    for name in ('ASCEND_DEVICE_ID', 'DEVICE_ID'):
        if environ.get(name):
            if not environ[name].isdigit():
                raise LaunchError(f"{name}: expected the number of a device, found '{environ[name]}'")
            return int(environ[name])
    return 0


def _listed(devices):
    return ','.join(str(device) for device in devices)
