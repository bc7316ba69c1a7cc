"""Placement: the processes that run on this server, from device numbers, a rank table or the environment."""

import argparse
import os
import re
from dataclasses import dataclass
from typing import Any, Dict, Iterable, List, Mapping, Optional, Tuple

from hourglass_pose.errors import LaunchError, UserError
from hourglass_pose.launch.rank_table import address_of_this_server, is_address, is_here, table_of_one_server
from hourglass_pose.runtime.rank_table import Slot, read_rank_table

RANK_TABLE = 'rank_table.json'

# Alternative to a rank table; npu_bridge and HCCL refuse both at once.
_CM_VARIABLES = ('CM_CHIEF_IP', 'CM_CHIEF_PORT', 'CM_CHIEF_DEVICE', 'CM_WORKER_SIZE', 'CM_WORKER_IP')


@dataclass(frozen=True)
class Placement:
    """Processes of a run. here: slots of this server. size: processes on all servers.

    table_path: file of the rank table, None with one process. table: content to write there, None where the file
    exists already. problem: why the table is missing or unfit, or None.
    """

    here: Tuple[Slot, ...]
    size: int
    table_path: Optional[str] = None
    table: Optional[Dict[str, Any]] = None
    problem: Optional[str] = None

    @property
    def is_on_one_server(self) -> bool:
        """Whether this server has all processes."""
        return len(self.here) == self.size


def place_processes(arguments: argparse.Namespace, environ: Mapping[str, str], output: str) -> Placement:
    """Return the Placement for parsed arguments.

    Args:
        arguments: as parse_arguments returns them.
        environ: environment of the launcher.
        output: folder of a rank table that has to be written.

    Raises:
        LaunchError: the arguments contradict each other or the rank table.
        ConfigError: the rank table is wrong.
    """
    requested = requested_devices(arguments)
    path = arguments.rank_table or environ.get('RANK_TABLE_FILE')
    if path:
        name = '--rank_table' if arguments.rank_table else 'RANK_TABLE_FILE'
        placement = _by_table(os.path.abspath(path), name, arguments.server_id, requested)
    else:
        placement = _on_this_server(arguments, environ, requested, output)
    if arguments.rank_size not in (None, placement.size):
        raise LaunchError(
            f'--rank_size={arguments.rank_size}: {placement.size} processes follow from '
            f'{f"{name} {path}" if path else "--device_ids"}; leave one of them out'
        )
    others = [name for name in _CM_VARIABLES if environ.get(name)]
    if others:
        raise LaunchError(
            f'{others[0]} is set, which excludes the RANK_SIZE and rank table of these processes: unset '
            f'{" ".join(others)}'
        )
    return placement


def requested_devices(arguments: argparse.Namespace) -> Optional[List[int]]:
    """Return the devices of --device_ids or --device_id, or None. Raises LaunchError."""
    devices: Optional[List[int]] = None
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
                f'--device_id={arguments.device_id} and --device_ids={arguments.device_ids}: give one of them'
            )
        devices = [arguments.device_id]
    return devices


def _by_table(path: str, name: str, server_id: Optional[str], requested: Optional[List[int]]) -> Placement:
    table = read_rank_table(path)
    server = server_id
    if server is None:
        local = [each for each in table.servers if len(table.servers) == 1 or is_here(table.addresses[each])]
        if len(local) != 1:
            found = f'{" and ".join(local)} are addresses' if local else 'no server of the table has an address'
            raise LaunchError(
                f'{name} {path}: {found} of this machine; choose the server by --server_id='
                f'{" or ".join(local or table.servers)}'
            )
        server = local[0]
    elif server not in table.servers:
        raise LaunchError(f'--server_id={server}: the rank table {path} has {", ".join(table.servers)}')
    here = table.on(server)
    devices = sorted(slot.device for slot in here)
    if requested is not None and sorted(requested) != devices:
        raise LaunchError(
            f'{name} {path}: its devices on this server are {_listed(devices)}, the arguments name '
            f'{_listed(requested)}; leave out the devices or the table'
        )
    problem = None
    if len(table.servers) > 1 and not is_address(table.meeting_address):
        problem = (
            f'{path}: {table.meeting_address}, the server of rank 0, is not an address at which the others can reach '
            'it; give the address of its host as host_ip together with its server_id'
        )
    return Placement(here, len(table.slots), path if len(table.slots) > 1 else None, problem=problem)


def _on_this_server(
    arguments: argparse.Namespace, environ: Mapping[str, str], requested: Optional[List[int]], output: str
) -> Placement:
    if requested is None:
        size = arguments.rank_size or 1
        requested = list(range(size)) if size > 1 else [_device_of_environment(environ)]
    server = arguments.server_id or address_of_this_server()
    here = tuple(Slot(rank, server, device) for rank, device in enumerate(requested))
    if len(here) == 1:
        return Placement(here, 1)
    try:
        table = table_of_one_server(requested, server, arguments.hccn_conf)
    except UserError as error:
        return Placement(here, len(here), os.path.join(output, RANK_TABLE), problem=str(error))
    return Placement(here, len(here), os.path.join(output, RANK_TABLE), table)


def _device_of_environment(environ: Mapping[str, str]) -> int:
    """Return ASCEND_DEVICE_ID, otherwise DEVICE_ID, as the adapter does; 0 if neither is set."""
    for name in ('ASCEND_DEVICE_ID', 'DEVICE_ID'):
        if environ.get(name):
            if not environ[name].isdigit():
                raise LaunchError(f"{name}: expected the number of a device, found '{environ[name]}'")
            return int(environ[name])
    return 0


def _listed(devices: Iterable[int]) -> str:
    return ','.join(str(device) for device in devices)
