"""Rank tables: read with every contradiction named, written for one server, and places told apart by address."""

import copy
import json

import pytest

from hourglass_pose.errors import LaunchError
from hourglass_pose.launch.arguments import parse_arguments
from hourglass_pose.launch.placement import asked_devices, place_processes
from hourglass_pose.launch.rank_table import (
    Place,
    address_of_this_server,
    is_here,
    read_hccn_conf,
    read_rank_table,
    table_of_one_server,
)

# Two servers with two devices each, as the vendor's documentation has it.
TABLE = {
    'status': 'completed',
    'version': '1.0',
    'server_count': '2',
    'server_list': [
        {
            'server_id': '203.0.113.1',
            'device': [
                {'device_id': '0', 'device_ip': '10.0.0.10', 'rank_id': '0'},
                {'device_id': '1', 'device_ip': '10.0.0.11', 'rank_id': '1'},
            ],
        },
        {
            'server_id': '203.0.113.2',
            'device': [
                {'device_id': '0', 'device_ip': '10.0.1.10', 'rank_id': '3'},
                {'device_id': '1', 'device_ip': '10.0.1.11', 'rank_id': '2'},
            ],
        },
    ],
}


def write(folder, table):
    path = folder / 'table.json'
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    return str(path)


def test_places_come_in_the_order_of_ranks(tmp_path):
    table = read_rank_table(write(tmp_path, TABLE))
    assert table.places == (
        Place(0, '203.0.113.1', 0),
        Place(1, '203.0.113.1', 1),
        Place(2, '203.0.113.2', 1),
        Place(3, '203.0.113.2', 0),
    )
    assert table.servers == ('203.0.113.1', '203.0.113.2')
    assert [place.rank for place in table.on('203.0.113.2')] == [2, 3]


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
        ('{"status": ', 'no JSON'),
        ('[]', "version '1.0'"),
        ({'status': 'completed', 'group_list': []}, "version '1.0'"),
        (changed('status', 'initializing'), "status: expected 'completed', found 'initializing'"),
        (changed('server_count', '3'), 'server_count: expected 2'),
        (changed('server_list', 1, 'server_id', '203.0.113.1'), 'server_id: 203.0.113.1 is there twice'),
        (changed('server_list', 1, 'server_id', None), 'expected a text as server_id'),
        (changed('server_list', 1, 'device', []), 'server 203.0.113.2: expected a list of devices'),
        (
            changed('server_list', 1, 'device', 0, 'rank_id', '4'),
            'rank_id: expected each of 0 to 3 once, found 0, 1, 2, 4',
        ),
        (changed('server_list', 1, 'device', 0, 'rank_id', 'x'), "expected a number as rank_id, found 'x'"),
        (changed('server_list', 1, 'device', 0, 'device_id', '1'), 'device_id: 1 of server 203.0.113.2 is there twice'),
        (changed('server_list', 1, 'device', 0, 'device_ip', '10.0.0.10'), 'device_ip: 10.0.0.10 is there twice'),
        (changed('server_list', 1, 'device', 0, 'device_ip', '10.0.0.256'), 'expected an IP address'),
        (changed('server_list', 1, 'device', 0, 'device_ip', None), 'expected a text as device_ip'),
    ],
)
def test_a_wrong_table_is_named_with_what_is_wrong(tmp_path, table, expected):
    path = write(tmp_path, table)
    with pytest.raises(LaunchError) as caught:
        read_rank_table(path)
    assert str(caught.value).startswith(path) and expected in str(caught.value)


def test_a_table_that_is_not_there_is_named(tmp_path):
    with pytest.raises(LaunchError, match='nowhere.json: the rank table cannot be read'):
        read_rank_table(str(tmp_path / 'nowhere.json'))


def test_a_written_table_reads_back_in_the_order_asked_for(tmp_path):
    conf = tmp_path / 'hccn.conf'
    conf.write_text(
        '# ports\naddress_0 = "10.0.0.10"  # first\nnetmask_0=255.255.255.0\n\n  address_5=10.0.0.15\n'
        'netdetect_5=10.0.0.1\naddress_5_old=1\n'
    )
    assert read_hccn_conf(str(conf)) == {0: '10.0.0.10', 5: '10.0.0.15'}
    content = table_of_one_server([5, 0], '203.0.113.1', str(conf))
    assert read_rank_table(write(tmp_path, content)).places == (Place(0, '203.0.113.1', 5), Place(1, '203.0.113.1', 0))
    with pytest.raises(LaunchError, match='address_1=IP, but for device 0, device 5; .*hccn_tool -i 1'):
        table_of_one_server([0, 1], '203.0.113.1', str(conf))


def test_own_addresses_are_told_from_others():
    assert is_here('127.0.0.1') and is_here(address_of_this_server())
    # Addresses of documentation (RFC 5737) belong to no machine.
    assert not is_here('203.0.113.1') and not is_here('server-1')


def place(words, environ=None, output='/output'):
    return place_processes(parse_arguments(words), environ or {}, output)


@pytest.mark.parametrize(
    'words, environ, devices',
    [
        ([], {}, [0]),
        ([], {'DEVICE_ID': '2'}, [2]),
        ([], {'DEVICE_ID': '2', 'ASCEND_DEVICE_ID': '5'}, [5]),
        (['--device_id=7'], {'ASCEND_DEVICE_ID': '5'}, [7]),
        (['--rank_size=1'], {'ASCEND_DEVICE_ID': '5'}, [5]),
        (['--device_ids=3'], {}, [3]),
        (['--rank_size=3'], {'ASCEND_DEVICE_ID': '5'}, [0, 1, 2]),
        (['--device_ids=6,0-2'], {}, [6, 0, 1, 2]),
    ],
)
def test_devices_follow_from_arguments_then_from_the_environment(words, environ, devices):
    found = place(words, environ)
    assert [each.device for each in found.here] == devices
    assert [each.rank for each in found.here] == list(range(len(devices))) and found.size == len(devices)
    assert found.table_path == (None if len(devices) == 1 else '/output/rank_table.json')


def test_devices_beside_a_table_must_be_those_of_the_table(tmp_path):
    table = write(tmp_path, TABLE)
    words = [f'--rank_table={table}', '--server_id=203.0.113.2']
    assert place(words + ['--device_ids=0,1']).here == (Place(2, '203.0.113.2', 1), Place(3, '203.0.113.2', 0))
    with pytest.raises(LaunchError, match='its devices on this server are 0,1, asked for are 0'):
        place(words + ['--device_id=0'])
    with pytest.raises(LaunchError, match='RANK_TABLE_FILE .*: its devices'):
        place(['--device_id=0', '--server_id=203.0.113.2'], {'RANK_TABLE_FILE': table})
    with pytest.raises(LaunchError, match='--rank_size=8: 4 processes follow from --rank_table'):
        place(words + ['--rank_size=8'])


def test_a_server_of_many_that_cannot_be_told_is_asked_for(tmp_path):
    table = write(tmp_path, TABLE)
    with pytest.raises(LaunchError, match='--server_id=203.0.113.1 or 203.0.113.2'):
        place([f'--rank_table={table}'])
    with pytest.raises(LaunchError, match='has 203.0.113.1, 203.0.113.2'):
        place([f'--rank_table={table}', '--server_id=203.0.113.3'])


@pytest.mark.parametrize('text', ['', ',', '0,', 'a', '3-1', '0,1-', '1,0-2'])
def test_devices_that_are_no_list_of_numbers_are_refused(text):
    with pytest.raises(LaunchError, match='--device_ids'):
        asked_devices(parse_arguments([f'--device_ids={text}']))
