"""The processes of a training on NPUs, as the environment describes them."""

import os
from dataclasses import dataclass
from typing import Mapping, Optional, Tuple

from hourglass_pose.errors import ConfigError
from hourglass_pose.runtime.job_key import job_key
from hourglass_pose.runtime.rank_table import RankTable, read_rank_table

_THIS_HOST = '127.0.0.1'

RANK_PORT = 29517
"""Where the first process of many waits for the others, unless the settings or the environment name another port."""
RANK_PORT_VARIABLE = 'HOURGLASS_RANK_PORT'


@dataclass(frozen=True)
class RankEnvironment:
    """num_ranks: number of processes. rank_table: that of RANK_TABLE_FILE. chief_ip: CM_CHIEF_IP. key: of the job.

    port: where rank 0 waits for the others, unless the settings name another one.
    """

    num_ranks: int = 1
    rank_table: Optional[RankTable] = None
    chief_ip: Optional[str] = None
    key: bytes = b''
    port: int = RANK_PORT

    def meeting_host(self, rank: int) -> str:
        """Return the address of rank 0 as seen by a rank; '' lets rank 0 listen at all its addresses."""
        if self.rank_table is not None and len(self.rank_table.servers) == 1:
            return _THIS_HOST
        if rank == 0:
            return ''
        return self.rank_table.meeting_address if self.rank_table is not None else self.chief_ip or _THIS_HOST

    @property
    def locations(self) -> Tuple[str, ...]:
        """Where each rank is, for messages; empty without a rank table."""
        return self.rank_table.locations if self.rank_table is not None else ()


def rank_environment(environment: Mapping[str, str] = os.environ) -> RankEnvironment:
    """Return the RankEnvironment of a process.

    RANK_SIZE belongs to a rank table, CM_WORKER_SIZE to the addresses of chief and worker. If neither is set, there is
    one process.

    Raises:
        ConfigError: the environment is incomplete or contradicts itself.
    """
    sizes = [name for name in ('RANK_SIZE', 'CM_WORKER_SIZE') if environment.get(name)]
    size = environment[sizes[0]] if sizes else '1'
    if not size.isdigit() or int(size) < 1:
        raise ConfigError(f'environment: {sizes[0]}: expected an integer >= 1, found {size!r}')
    if int(size) == 1 and len(sizes) < 2:
        return RankEnvironment()
    ways = [name for name in ('RANK_TABLE_FILE', 'CM_CHIEF_IP') if environment.get(name)]
    if len(ways) != 1 or len(sizes) != 1 or (ways[0] == 'RANK_TABLE_FILE') != (sizes[0] == 'RANK_SIZE'):
        raise ConfigError(
            f'environment: {size} processes need either RANK_TABLE_FILE and RANK_SIZE, or CM_CHIEF_IP and '
            f'CM_WORKER_SIZE, and not both; found {", ".join(ways + sizes)}'
        )
    if not environment.get('JOB_ID'):
        raise ConfigError(
            f'environment: JOB_ID: expected the same text in all {size} processes, found nothing; without it '
            'gradients cannot be averaged'
        )
    table = None
    if ways[0] == 'RANK_TABLE_FILE':
        table = read_rank_table(environment['RANK_TABLE_FILE'])
        if len(table.slots) != int(size):
            raise ConfigError(
                f'{environment["RANK_TABLE_FILE"]}: expected the ranks 0 to {int(size) - 1} of RANK_SIZE, found '
                f'{len(table.slots)} ranks'
            )
    port = environment.get(RANK_PORT_VARIABLE) or str(RANK_PORT)
    if not port.isdigit() or not 0 < int(port) < 2**16:
        raise ConfigError(f'environment: {RANK_PORT_VARIABLE}: expected a port up to 65535, found {port!r}')
    return RankEnvironment(int(size), table, environment.get('CM_CHIEF_IP'), job_key(environment), int(port))
