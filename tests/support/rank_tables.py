"""Rank tables for tests, and how one is written."""

import json
from pathlib import Path
from typing import Any, Iterable

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


def write_table(folder: Path, table: Any) -> str:
    """Write a table, or the text that is no table, and return its path."""
    path = folder / 'table.json'
    path.write_text(table if isinstance(table, str) else json.dumps(table))
    return str(path)


def table_of(*servers: Iterable[int]) -> Any:
    """Return a table of the servers 10.0.0.0, 10.0.0.1 and so on, each with these ranks."""
    return {
        'status': 'completed',
        'version': '1.0',
        'server_list': [
            {
                'server_id': f'10.0.0.{number}',
                'device': [
                    {'device_id': str(rank), 'device_ip': f'1.1.1.{rank}', 'rank_id': str(rank)} for rank in ranks
                ],
            }
            for number, ranks in enumerate(servers)
        ],
    }
