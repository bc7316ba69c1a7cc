"""Connections between the processes of a job: rank 0 listens, the others connect, and both prove the job's key."""

import hashlib
import hmac
import os
import socket
import struct
import threading
import time
from typing import Dict, Iterable, List, Optional, Sequence, Tuple

from hourglass_pose.errors import UserError

HANDSHAKE_SECONDS = 10.0
"""Time limit of a handshake; slower connections are closed."""

_LENGTH = struct.Struct('!Q')
_HELLO = struct.Struct('!II32s32s')  # rank, number of ranks, nonce, proof
_NONCE_BYTES = 32
_OTHER_KEY, _OTHER_RANKS = b'K', b'R'
_RETRY_SECONDS = 0.2
_ACCEPT_SECONDS = 0.05


class Link:
    """A connection that carries messages: a length of 8 bytes, then as many bytes.

    deadline: value of time.monotonic() at which reading ends; None uses the timeout of the socket for every read.
    """

    def __init__(self, connection: socket.socket, deadline: Optional[float] = None) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = connection
        self.deadline = deadline

    def send(self, message: bytes) -> None:
        """Send a message. Raises OSError."""
        self.socket.sendall(_LENGTH.pack(len(message)) + message)

    def receive(self, longest: int) -> bytes:
        """Return the next message. Raises OSError for a broken connection, a timeout or a longer message."""
        (length,) = _LENGTH.unpack(self._read(_LENGTH.size))
        if length > longest:
            raise OSError(f'expected a message of at most {longest} bytes, found {length}')
        return self._read(length)

    def _read(self, count: int) -> bytes:
        parts: List[bytes] = []
        while count:
            if self.deadline is not None:
                self.socket.settimeout(max(self.deadline - time.monotonic(), 0.001))
            part = self.socket.recv(min(count, 2**20))
            if not part:
                raise OSError('the connection was closed')
            parts.append(part)
            count -= len(part)
        return b''.join(parts)


class _Gathering:
    """The other ranks as rank 0 sees them. links: {rank: Link}. refused: addresses that had another key."""

    def __init__(self, world_size: int, key: bytes) -> None:
        self.links: Dict[int, Link] = {}
        self.refused: List[str] = []
        self._world_size, self._key = world_size, key
        self._turn = threading.Lock()

    def missing(self) -> List[int]:
        """Return the ranks that are not connected."""
        return sorted(set(range(1, self._world_size)) - set(self.links))

    def answer(self, connection: socket.socket, sender: str) -> None:
        """Check the key and the rank of a new connection; keep it as a Link or close it."""
        link = Link(connection, time.monotonic() + HANDSHAKE_SECONDS)
        try:
            challenge = os.urandom(_NONCE_BYTES)
            link.send(challenge)
            rank, size, nonce, proof = _HELLO.unpack(link.receive(_HELLO.size))
            parts = (challenge, nonce, struct.pack('!II', rank, size))
            with self._turn:
                if not hmac.compare_digest(proof, _proof(self._key, b'join', *parts)):
                    self.refused.append(sender)
                    link.send(_OTHER_KEY)
                elif size != self._world_size or not 0 < rank < size or rank in self.links:
                    link.send(_OTHER_RANKS)
                else:
                    link.send(_proof(self._key, b'welcome', *parts))
                    self.links[rank] = link
                    return
        except (OSError, struct.error):
            pass  # not a process of a job
        connection.close()


def listed(ranks: Iterable[int], locations: Sequence[str] = ()) -> str:
    """Return ranks for a message, such as 'rank 1, 2'. locations: what is added about each rank, if it is known."""
    ranks = list(ranks)
    where = f' ({", ".join(locations[rank] for rank in ranks)})' if locations else ''
    return f'rank {", ".join(map(str, ranks))}{where}'


def gather(
    world_size: int, address: Tuple[str, int], key: bytes, deadline: float, locations: Sequence[str] = ()
) -> Dict[int, Link]:
    """Wait as rank 0 for the other ranks; each connection is answered in its own thread.

    Args:
        world_size: number of processes, this one included.
        address: host and port to listen at; host '' is every address of this machine.
        key: the job's key.
        deadline: value of time.monotonic() by which all must be connected.
        locations: where each rank is, for messages; empty if it is not known.

    Returns:
        {rank: Link} of all other ranks.

    Raises:
        UserError: the port cannot be opened, or a rank does not connect in time.
    """
    gathering = _Gathering(world_size, key)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
        except OSError as error:
            raise UserError(
                f'port {address[1]} at {address[0] or "this host"}, where rank 0 meets the others, cannot be opened '
                f'({error.strerror}); choose another Device.rank_port'
            )
        listener.listen(max(world_size, 128))
        listener.settimeout(_ACCEPT_SECONDS)
        while len(gathering.links) < world_size - 1:
            if time.monotonic() > deadline:
                missing, refused = listed(gathering.missing(), locations), gathering.refused
                others = f'; {len(refused)} connections had another key, such as from {refused[0]}' if refused else ''
                raise UserError(
                    f'{missing} did not connect to rank 0 at port {address[1]}{others}; see the logs of these ranks'
                )
            try:
                connection, (sender, _) = listener.accept()
            except socket.timeout:
                continue
            threading.Thread(target=gathering.answer, args=(connection, sender), daemon=True).start()
    return gathering.links


def join(rank: int, world_size: int, address: Tuple[str, int], key: bytes, deadline: float) -> Link:
    """Connect to rank 0 from another rank, as soon as it listens.

    Args: as those of gather. address: host and port where rank 0 listens.

    Raises:
        UserError: rank 0 cannot be reached before the deadline, or belongs to another job.
    """
    where = f'{address[0]}:{address[1]}'
    while True:
        try:
            with socket.create_connection(address, timeout=HANDSHAKE_SECONDS) as connection:
                link = Link(connection, time.monotonic() + HANDSHAKE_SECONDS)
                parts = (link.receive(_NONCE_BYTES), os.urandom(_NONCE_BYTES), struct.pack('!II', rank, world_size))
                link.send(_HELLO.pack(rank, world_size, parts[1], _proof(key, b'join', *parts)))
                verdict = link.receive(hashlib.sha256().digest_size)
                if hmac.compare_digest(verdict, _proof(key, b'welcome', *parts)):
                    # The context closes its own copy.
                    return Link(connection.dup())
        except OSError as error:
            if time.monotonic() > deadline:
                raise UserError(
                    f'rank {rank} does not reach rank 0 at {where} ({error.strerror or error}); see the log of rank 0'
                )
            time.sleep(_RETRY_SECONDS)
            continue
        if verdict == _OTHER_RANKS:
            raise UserError(
                f'rank {rank} of {world_size} is refused at {where}: that rank is connected already, or the number '
                'of ranks differs; give every process of the job its own rank and the same number'
            )
        raise UserError(
            f'rank {rank} is refused at {where}: the process there belongs to another job, as it has another '
            'key; give all processes of a job the same HOURGLASS_JOB_KEY or JOB_ID, and every job on these hosts its '
            'own Device.rank_port'
        )


def _proof(key: bytes, role: bytes, challenge: bytes, nonce: bytes, ranks: bytes) -> bytes:
    return hmac.new(key, role + challenge + nonce + ranks, hashlib.sha256).digest()
