"""The rank table of a run on one server, made from the addresses of its devices."""

import re
import socket
from typing import Any, Dict, List, Sequence, Tuple

from hourglass_pose.errors import LaunchError
from hourglass_pose.runtime.rank_table import checked_address

_ADDRESS = re.compile(r'^\s*address_(\d+)\s*=\s*([^\s#]+)')

# An address that no machine has (RFC 5737). Connecting a datagram socket to it sends nothing and shows this server's
# own address.
_ELSEWHERE = ('192.0.2.1', 9)


def table_of_one_server(devices: Sequence[int], server: str, hccn_conf: str) -> Dict[str, Any]:
    """Return the content of a rank table, JSON-able, for some devices of this server, ranked in the given order.

    Args:
        devices: numbers of the devices.
        server: address of this server.
        hccn_conf: file with a line address_N=IP for every device.

    Raises:
        LaunchError: the file cannot be read or lacks a device.
    """
    addresses = read_hccn_conf(hccn_conf)
    missing = [device for device in devices if device not in addresses]
    if missing:
        first, known = missing[0], ', '.join(f'device {device}' for device in sorted(addresses)) or 'no device'
        raise LaunchError(
            f'{hccn_conf}: expected a line address_{first}=IP, found lines for {known}; set the address by '
            f'"hccn_tool -i {first} -ip -s address IP netmask MASK", or give a rank table by --rank_table=FILE'
        )
    table = [
        {'device_id': str(device), 'device_ip': addresses[device], 'rank_id': str(rank)}
        for rank, device in enumerate(devices)
    ]
    return {
        'status': 'completed',
        'version': '1.0',
        'server_count': '1',
        'server_list': [{'server_id': server, 'device': table}],
    }


def read_hccn_conf(path: str) -> Dict[int, str]:
    """Return {device: address} of an hccn.conf; other lines are ignored. Raises LaunchError, ConfigError."""
    try:
        with open(path, encoding='utf-8', errors='replace') as stream:
            found = [_ADDRESS.match(line) for line in stream]
    except OSError as error:
        raise LaunchError(
            f'{path}: cannot be read ({error.strerror}), and the rank table needs its addresses of the devices; '
            'give the file by --hccn_conf=FILE or a rank table by --rank_table=FILE'
        )
    return {int(match.group(1)): checked_address(match.group(2).strip('"\''), path) for match in found if match}


def address_of_this_server() -> str:
    """Return the address that other servers see, 127.0.0.1 without a network."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(_ELSEWHERE)
            return probe.getsockname()[0]
        except OSError:
            return '127.0.0.1'


def is_here(address: str) -> bool:
    """Return whether an IP address or host name is this server's: only its owner can bind a socket to it."""
    for family, where in _resolved(address):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as probe:
                probe.bind(where)
            return True
        except OSError:
            continue
    return False


def is_address(text: str) -> bool:
    """Return whether a text is an IP address or the name of a host that is known here."""
    return bool(_resolved(text))


def _resolved(text: str) -> List[Tuple[int, Any]]:
    """Return (family, socket address) of each address of a host, [] if it has none."""
    try:
        found = socket.getaddrinfo(text, 0, type=socket.SOCK_DGRAM)
    except (OSError, UnicodeError):
        return []
    return [(family, where) for family, _, _, _, where in found]
