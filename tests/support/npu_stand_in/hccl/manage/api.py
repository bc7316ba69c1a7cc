"""Who this process is among the ranks."""

import json
import os

from stand_in import StandInError, device, gate, journal, rank, size

__getattr__ = gate('hccl.manage.api', ('get_rank_id', 'get_rank_size', 'get_local_rank_id', 'get_local_rank_size'))

BY_CHIEF = ('CM_CHIEF_IP', 'CM_CHIEF_PORT', 'CM_CHIEF_DEVICE', 'CM_WORKER_SIZE', 'CM_WORKER_IP')


def get_rank_id(group='hccl_world_group'):
    require_ranks()
    journal('asked for the rank')
    return rank()


def get_rank_size(group='hccl_world_group'):
    require_ranks()
    return size()


def get_local_rank_id(group='hccl_world_group'):
    require_ranks()
    return rank() % 8


def get_local_rank_size(group='hccl_world_group'):
    require_ranks()
    return min(size(), 8)


def require_ranks():
    """Raise StandInError where a device would not know its rank."""
    if not device.is_up:
        raise StandInError('ranks are not known before initialize_system was run, nor after its session was closed')
    by_table, by_chief = bool(os.environ.get('RANK_TABLE_FILE')), bool(os.environ.get('CM_CHIEF_IP'))
    if size() == 1:
        return
    if by_table == by_chief:
        raise StandInError(f'{size()} ranks need either RANK_TABLE_FILE or CM_CHIEF_IP')
    if by_chief:
        missing = [name for name in BY_CHIEF if not os.environ.get(name)]
        if missing or os.environ.get('RANK_SIZE'):
            raise StandInError(f'with CM_CHIEF_IP: missing {missing}, RANK_SIZE {os.environ.get("RANK_SIZE")!r}')
        return
    with open(os.environ['RANK_TABLE_FILE']) as stream:
        table = json.load(stream)
    servers = table['server_list']
    devices = [entry for server in servers for entry in server['device']]
    ranks = sorted(int(entry['rank_id']) for entry in devices)
    if not (
        table['status'] == 'completed'
        and table['version'] == '1.0'
        and int(table['server_count']) == len(servers)
        and ranks == list(range(size()))
        and all(entry['device_ip'] for entry in devices)
        and all(isinstance(entry[key], str) for entry in devices for key in entry)
    ):
        raise StandInError(f'RANK_TABLE_FILE: {size()} ranks, but the table says {table}')
