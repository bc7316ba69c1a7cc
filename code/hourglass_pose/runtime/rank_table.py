"""Rank tables: the server and device of each process of a run, in the format of HCCL."""

import ipaddress
from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Tuple

from hourglass_pose.errors import ConfigError
from hourglass_pose.files import parse_json


@dataclass(frozen=True)
class Slot:
    """Server and device of one process. server: server_id of the table. device: number of the device there."""

    rank: int
    server: str
    device: int


@dataclass(frozen=True)
class RankTable:
    """All slots of a run, by rank, and the servers in the order of the table.

    addresses: {server: address of its host}. An older table names servers by their address. A newer one has any name,
    and the address as host_ip; inside a Kubernetes pod the processes are at container_ip.
    """

    slots: Tuple[Slot, ...]
    servers: Tuple[str, ...]
    addresses: Mapping[str, str]

    @property
    def meeting_address(self) -> str:
        """The address of the host of rank 0."""
        return self.addresses[self.slots[0].server]

    @property
    def locations(self) -> Tuple[str, ...]:
        """Where each rank is, for messages."""
        return tuple(f'device {slot.device} of server {slot.server}' for slot in self.slots)

    def on(self, server: str) -> Tuple[Slot, ...]:
        """Return the slots on a server."""
        return tuple(slot for slot in self.slots if slot.server == server)


def read_rank_table(path: str) -> RankTable:
    """Return the RankTable of a JSON file of version 1.0. Raises ConfigError."""
    try:
        with open(path, 'rb') as stream:
            table = parse_json(stream.read())
    except OSError as error:
        raise ConfigError(f'{path}: the rank table cannot be read ({error.strerror}); give another rank table')
    except ValueError as error:
        raise ConfigError(f'{path}: expected a rank table in JSON ({error})')
    try:
        return _checked(table)
    except ConfigError as error:
        raise ConfigError(f'{path}: {error}')


def _checked(table: Any) -> RankTable:
    version = table.get('version') if isinstance(table, dict) else None
    if version != '1.0' or not isinstance(table.get('server_list'), list):
        found = f'version {version!r}' if isinstance(table, dict) else 'no object'
        raise ConfigError(f"expected a rank table of version '1.0' with a server_list, found {found}")
    if table.get('status') != 'completed':
        raise ConfigError(f"status: expected 'completed', found {table.get('status')!r}; the table is not finished")
    slots: List[Slot] = []
    servers: Dict[str, str] = {}
    addresses: List[str] = []
    for server in table['server_list']:
        name = _text(server, 'server_id', 'server_list')
        where = f'server {name}'
        if name in servers:
            raise ConfigError(f'server_id: {name} occurs twice')
        servers[name] = next((str(server[key]) for key in ('container_ip', 'host_ip') if server.get(key)), name)
        devices = server.get('device')
        if not isinstance(devices, list) or not devices:
            raise ConfigError(f'{where}: expected a list of devices as device, found {devices!r}')
        for device in devices:
            addresses.append(checked_address(_text(device, 'device_ip', where), where))
            slots.append(Slot(_number(device, 'rank_id', where), name, _number(device, 'device_id', where)))
    if str(table.get('server_count', len(servers))) != str(len(servers)):
        raise ConfigError(
            f'server_count: expected {len(servers)}, the length of server_list, found {table["server_count"]}'
        )
    _require_distinct(slots, addresses)
    return RankTable(tuple(sorted(slots, key=lambda slot: slot.rank)), tuple(servers), servers)


def _require_distinct(slots: List[Slot], addresses: List[str]) -> None:
    ranks = sorted(slot.rank for slot in slots)
    if ranks != list(range(len(slots))):
        raise ConfigError(f'rank_id: expected each of 0 to {len(slots) - 1} once, found {", ".join(map(str, ranks))}')
    devices = [f'{slot.device} of server {slot.server}' for slot in slots]
    for what, values in (('device_id', devices), ('device_ip', addresses)):
        twice = [value for value in values if values.count(value) > 1]
        if twice:
            raise ConfigError(f'{what}: {twice[0]} occurs twice')


def _text(record: Dict[str, Any], key: str, where: str) -> str:
    value = record.get(key) if isinstance(record, dict) else None
    if not isinstance(value, (str, int)) or value == '':
        raise ConfigError(f'{where}: expected a text as {key}, found {value!r}')
    return str(value)


def _number(record: Dict[str, Any], key: str, where: str) -> int:
    text = _text(record, key, where)
    if not text.isdigit():
        raise ConfigError(f'{where}: expected a number as {key}, found {text!r}')
    return int(text)


def checked_address(text: str, where: str) -> str:
    """Return the IP address of a device in its usual form. where: for the message. Raises ConfigError."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        raise ConfigError(f'{where}: expected an IP address as address of a device, found {text!r}')
