"""The rank table of one server, and the processes of a run that are on this server."""

import json

import pytest

from hourglass_pose.errors import LaunchError
from hourglass_pose.launch.arguments import parse_arguments
from hourglass_pose.launch.placement import place_processes, requested_devices
from hourglass_pose.launch.rank_table import (
    address_of_this_server,
    is_address,
    is_here,
    read_hccn_conf,
    table_of_one_server,
)
from hourglass_pose.runtime.rank_table import Slot, read_rank_table
from rank_tables import TABLE, write_table


def test_a_written_table_reads_back_in_the_requested_order(tmp_path):
    conf = tmp_path / 'hccn.conf'
    conf.write_text(
        '# ports\naddress_0 = "10.0.0.10"  # first\nnetmask_0=255.255.255.0\n\n  address_5=10.0.0.15\n'
        'netdetect_5=10.0.0.1\naddress_5_old=1\n'
    )
    assert read_hccn_conf(str(conf)) == {0: '10.0.0.10', 5: '10.0.0.15'}
    content = table_of_one_server([5, 0], '203.0.113.1', str(conf))
    assert read_rank_table(write_table(tmp_path, content)).slots == (
        Slot(0, '203.0.113.1', 5),
        Slot(1, '203.0.113.1', 0),
    )
    with pytest.raises(LaunchError, match='address_1=IP, found lines for device 0, device 5; .*hccn_tool -i 1'):
        table_of_one_server([0, 1], '203.0.113.1', str(conf))


def test_own_addresses_are_distinguished_from_others():
    assert is_here('127.0.0.1') and is_here(address_of_this_server())
    # Addresses of documentation (RFC 5737) belong to no machine.
    assert not is_here('203.0.113.1') and not is_here('server-1')
    assert is_here('localhost') and is_address('localhost') and is_address('203.0.113.1') and not is_address('node_0')


def placed(words, environ=None, output='/output'):
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
    found = placed(words, environ)
    assert [each.device for each in found.here] == devices
    assert [each.rank for each in found.here] == list(range(len(devices))) and found.size == len(devices)
    assert found.table_path == (None if len(devices) == 1 else '/output/rank_table.json')


def test_devices_given_with_a_table_must_be_those_of_the_table(tmp_path):
    table = write_table(tmp_path, TABLE)
    words = [f'--rank_table={table}', '--server_id=203.0.113.2']
    assert placed(words + ['--device_ids=0,1']).here == (Slot(2, '203.0.113.2', 1), Slot(3, '203.0.113.2', 0))
    with pytest.raises(LaunchError, match='its devices on this server are 0,1, the arguments name 0'):
        placed(words + ['--device_id=0'])
    with pytest.raises(LaunchError, match='RANK_TABLE_FILE .*: its devices'):
        placed(['--device_id=0', '--server_id=203.0.113.2'], {'RANK_TABLE_FILE': table})
    with pytest.raises(LaunchError, match='--rank_size=8: 4 processes follow from --rank_table'):
        placed(words + ['--rank_size=8'])


def test_a_server_that_cannot_be_identified_is_refused_with_the_option(tmp_path):
    table = write_table(tmp_path, TABLE)
    with pytest.raises(LaunchError, match='--server_id=203.0.113.1 or 203.0.113.2'):
        placed([f'--rank_table={table}'])
    with pytest.raises(LaunchError, match='has 203.0.113.1, 203.0.113.2'):
        placed([f'--rank_table={table}', '--server_id=203.0.113.3'])


def test_server_is_found_by_the_address_of_its_host_whatever_its_name(tmp_path):
    table = json.loads(json.dumps(TABLE))
    for number, (key, address) in enumerate([('host_ip', '203.0.113.1'), ('container_ip', '127.0.0.1')]):
        table['server_list'][number].update({'server_id': f'node_{number}', key: address})
    words = [f'--rank_table={write_table(tmp_path, table)}']
    found = placed(words)
    assert [slot.server for slot in found.here] == ['node_1', 'node_1'] and found.problem is None
    table['server_list'][0]['host_ip'] = '127.0.0.2'
    write_table(tmp_path, table)
    with pytest.raises(LaunchError, match='node_0 and node_1 are addresses of this machine.*=node_0 or node_1'):
        placed(words)
    del table['server_list'][0]['host_ip']
    write_table(tmp_path, table)
    assert 'node_0, the server of rank 0' in placed(words).problem and 'host_ip' in placed(words).problem


@pytest.mark.parametrize('text', ['', ',', '0,', 'a', '3-1', '0,1-', '1,0-2'])
def test_devices_that_are_no_list_of_numbers_are_refused(text):
    with pytest.raises(LaunchError, match='--device_ids'):
        requested_devices(parse_arguments([f'--device_ids={text}']))
