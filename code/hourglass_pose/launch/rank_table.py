"""Rank tables: which process of a run works on which device of which server, as HCCL reads them."""

import ipaddress
import json
import re
import socket
from collections import OrderedDict
from dataclasses import dataclass
from typing import Tuple

from hourglass_pose.errors import LaunchError

_ADDRESS = re.compile(r'^\s*address_(\d+)\s*=\s*([^\s#]+)')

# Of no machine (RFC 5737): asking the way to it tells this server's own address, and sends nothing.
_ELSEWHERE = ('192.0.2.1', 9)


@dataclass(frozen=True)
class Place:
    """Where one process of a run works. server: its address; device: number of the device there."""

    rank: int
    server: str
    device: int


@dataclass(frozen=True)
class RankTable:
    """All places of a run, by rank, and the servers in the order of the table."""

    places: Tuple[Place, ...]
    servers: Tuple[str, ...]

    def on(self, server):
        """Return the places on a server."""
        return tuple(place for place in self.places if place.server == server)


def read_rank_table(path):
    """Return the RankTable of a JSON file of version 1.0. Raises LaunchError."""
    try:
        with open(path, encoding='utf-8') as stream:
            table = json.load(stream)
    except OSError as error:
        raise LaunchError(
            f'{path}: the rank table cannot be read ({error.strerror}); give another by --rank_table=FILE'
        )
    except ValueError as error:
        raise LaunchError(f'{path}: the rank table is no JSON ({error})')
    try:
        return _checked(table)
    except LaunchError as error:
        raise LaunchError(f'{path}: {error}')


def _checked(table):
    version = table.get('version') if isinstance(table, dict) else None
    if version != '1.0' or not isinstance(table.get('server_list'), list):
        raise LaunchError(
            "expected a rank table of version '1.0' with a server_list, found %s"
            % (f'version {version!r}' if isinstance(table, dict) else 'no object')
        )
    if table.get('status') != 'completed':
        raise LaunchError(f"status: expected 'completed', found {table.get('status')!r}; the table is not finished")
    places, servers, addresses = [], [], []
    for server in table['server_list']:
        name = _text(server, 'server_id', 'server_list')
        if name in servers:
            raise LaunchError(f'server_id: {name} is there twice')
        servers.append(name)
        devices = server.get('device')
        if not isinstance(devices, list) or not devices:
            raise LaunchError(f'server {name}: expected a list of devices as device, found {devices!r}')
        for device in devices:
            where = f'server {name}'
            addresses.append(_address(_text(device, 'device_ip', where), where))
            places.append(Place(_count(device, 'rank_id', where), name, _count(device, 'device_id', where)))
    _require_count(table, len(servers))
    _require_distinct(places, addresses)
    return RankTable(tuple(sorted(places, key=lambda place: place.rank)), tuple(servers))


def _require_count(table, found):
    if str(table.get('server_count', found)) != str(found):
        raise LaunchError(
            'server_count: expected %d, the length of server_list, found %s' % (found, table['server_count'])
        )


def _require_distinct(places, addresses):
    ranks = sorted(place.rank for place in places)
    if ranks != list(range(len(places))):
        raise LaunchError(
            'rank_id: expected each of 0 to %d once, found %s'
            % (len(places) - 1, ', '.join(str(rank) for rank in ranks))
        )
    devices = [(place.server, place.device) for place in places]
    for found, what in ((devices, 'device_id'), (addresses, 'device_ip')):
        twice = [each for each in found if found.count(each) > 1]
        if twice:
            raise LaunchError(
                '{}: {} is there twice'.format(
                    what, twice[0] if what == 'device_ip' else '%d of server %s' % twice[0][::-1]
                )
            )


def _text(record, key, where):
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, (str, int)) or value == '':
        raise LaunchError(f'{where}: expected a text as {key}, found {value!r}')
    return str(value)


def _count(record, key, where):
    text = _text(record, key, where)
    if not text.isdigit():
        raise LaunchError(f'{where}: expected a number as {key}, found {text!r}')
    return int(text)


def _address(text, where):
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise LaunchError(f'{where}: expected an IP address as address of a device, found {text!r}')


def table_of_one_server(devices, server, hccn_conf):
    """Return the content of a rank table, JSON-able, for some devices of this server, ranked in the given order.

    server: its address. hccn_conf: file with a line address_N=IP for every device. Raises LaunchError.
    """
    addresses = read_hccn_conf(hccn_conf)
    missing = [device for device in devices if device not in addresses]
    if missing:
        raise LaunchError(
            '%s: there is no line address_%d=IP, but for %s; give device %d its address by "hccn_tool -i %d -ip -s '
            'address IP netmask MASK", or a rank table by --rank_table=FILE'
            % (
                hccn_conf,
                missing[0],
                ', '.join('device %d' % device for device in sorted(addresses)) or 'no device',
                missing[0],
                missing[0],
            )
        )
    return OrderedDict(
        [
            ('status', 'completed'),
            ('version', '1.0'),
            ('server_count', '1'),
            (
                'server_list',
                [
                    OrderedDict(
                        [
                            ('server_id', server),
                            (
                                'device',
                                [
                                    OrderedDict(
                                        [
                                            ('device_id', str(device)),
                                            ('device_ip', addresses[device]),
                                            ('rank_id', str(rank)),
                                        ]
                                    )
                                    for rank, device in enumerate(devices)
                                ],
                            ),
                        ]
                    )
                ],
            ),
        ]
    )


def read_hccn_conf(path):
    """Return {device: address} of an hccn.conf; its other lines are passed over. Raises LaunchError."""
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            found = [_ADDRESS.match(line) for line in stream]
    except OSError as error:
        raise LaunchError(
            f'{path}: cannot be read ({error.strerror}), and tells the addresses of the devices for a rank '
            f'table; give the '
            'file by --hccn_conf=FILE or a rank table by --rank_table=FILE'
        )
    return {int(match.group(1)): _address(match.group(2).strip('"\''), path) for match in found if match}


def address_of_this_server():
    """Return the address that other servers see, 127.0.0.1 where there is no network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ask:
        try:
            ask.connect(_ELSEWHERE)
            return ask.getsockname()[0]
        except OSError:
            return '127.0.0.1'


def is_here(address):
    """Tell whether an address is this server's: nobody can listen at another's."""
    try:
        family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.bind((address, 0))
        return True
    except (ValueError, OSError):
        return False
