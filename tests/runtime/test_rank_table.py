"""Rank tables: read with every contradiction named."""

import copy

import pytest

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.rank_table import Slot, read_rank_table
from rank_tables import TABLE, write_table


def test_slots_come_in_the_order_of_ranks(tmp_path):
    table = read_rank_table(write_table(tmp_path, TABLE))
    assert table.slots == (
        Slot(0, '203.0.113.1', 0),
        Slot(1, '203.0.113.1', 1),
        Slot(2, '203.0.113.2', 1),
        Slot(3, '203.0.113.2', 0),
    )
    assert table.servers == ('203.0.113.1', '203.0.113.2')
    assert [slot.rank for slot in table.on('203.0.113.2')] == [2, 3]
    assert table.meeting_address == '203.0.113.1'


def test_servers_with_any_name_have_the_address_of_their_host(tmp_path):
    table = copy.deepcopy(TABLE)
    table['server_list'][0].update(server_id='node_0', host_ip='203.0.113.7', container_ip='10.9.0.7')
    table['server_list'][1].update(server_id='node_1', host_ip='203.0.113.8')
    found = read_rank_table(write_table(tmp_path, table))
    # Inside a pod the host's own address leads elsewhere.
    assert found.addresses == {'node_0': '10.9.0.7', 'node_1': '203.0.113.8'}
    assert found.meeting_address == '10.9.0.7' and found.locations[3] == 'device 0 of server node_1'


def changed(*path_and_value):
    """Return the table with the value at a path of keys replaced, or taken out where it is None."""
    table = copy.deepcopy(TABLE)
    part = table
    for key in path_and_value[:-2]:
        part = part[key]
    if path_and_value[-1] is None:
        del part[path_and_value[-2]]
    else:
        part[path_and_value[-2]] = path_and_value[-1]
    return table


@pytest.mark.parametrize(
    'table, expected',
    [
        ('{"status": ', 'in JSON'),
        ('[]', "version '1.0'"),
        ({'status': 'completed', 'group_list': []}, "version '1.0'"),
        (changed('status', 'initializing'), "status: expected 'completed', found 'initializing'"),
        (changed('server_count', '3'), 'server_count: expected 2'),
        (changed('server_list', 1, 'server_id', '203.0.113.1'), 'server_id: 203.0.113.1 occurs twice'),
        (changed('server_list', 1, 'server_id', None), 'expected a text as server_id'),
        (changed('server_list', 1, 'device', []), 'server 203.0.113.2: expected a list of devices'),
        (
            changed('server_list', 1, 'device', 0, 'rank_id', '4'),
            'rank_id: expected each of 0 to 3 once, found 0, 1, 2, 4',
        ),
        (changed('server_list', 1, 'device', 0, 'rank_id', 'x'), "expected a number as rank_id, found 'x'"),
        (changed('server_list', 1, 'device', 0, 'device_id', '1'), 'device_id: 1 of server 203.0.113.2 occurs twice'),
        (changed('server_list', 1, 'device', 0, 'device_ip', '10.0.0.10'), 'device_ip: 10.0.0.10 occurs twice'),
        (changed('server_list', 1, 'device', 0, 'device_ip', '10.0.0.256'), 'expected an IP address'),
        (changed('server_list', 1, 'device', 0, 'device_ip', None), 'expected a text as device_ip'),
    ],
)
def test_a_wrong_table_is_named_with_what_is_wrong(tmp_path, table, expected):
    path = write_table(tmp_path, table)
    with pytest.raises(ConfigError) as caught:
        read_rank_table(path)
    assert str(caught.value).startswith(path) and expected in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConfigError, match='nowhere.json: the rank table cannot be read'):
        read_rank_table(str(tmp_path / 'nowhere.json'))
