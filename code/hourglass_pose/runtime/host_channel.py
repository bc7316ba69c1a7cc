"""HostChannel: messages between the processes of one training over the hosts' network, apart from the devices."""

import itertools
import os
import queue
import socket
import struct
import sys
import threading
import time
from typing import Dict, List, Optional, Sequence, Tuple

from hourglass_pose.errors import UserError
from hourglass_pose.runtime.meeting import Link, gather, join, listed

LOST_RANK = 3
"""Exit code of a process that ends because another process has ended."""

_HEADER = struct.Struct('!cI')  # kind, number of the exchange
_ALIVE, _DATA, _FAILURE, _END = b'A', b'D', b'F', b'E'
_LONGEST = 2**31
_SIGNS_PER_TIMEOUT = 4
_GOODBYE_SECONDS = 1.0


def end_process(message: str) -> None:
    """Print the reason in one line and end at once, even if other threads are blocked."""
    try:
        sys.stderr.write(f'error: {message}\n')
        sys.stderr.flush()
        sys.stdout.flush()
    finally:
        # Writing fails if the reader of the streams has ended too.
        os._exit(LOST_RANK)


class _Peer:
    """A connected process: its rank, its link, and the payloads that it has sent."""

    def __init__(self, rank: int, link: Link, timeout: float) -> None:
        self.rank = rank
        self.link = link
        self.received: queue.Queue[Tuple[int, bytes]] = queue.Queue()
        self.has_ended = False
        self._sending = threading.Lock()
        link.deadline = None
        link.socket.settimeout(timeout)

    def send(self, kind: bytes, payload: bytes = b'', number: int = 0, wait: float = -1) -> None:
        """Send a message. wait: seconds for another thread to finish its own, -1 for no limit. Raises OSError."""
        if self._sending.acquire(timeout=wait):
            try:
                self.link.send(_HEADER.pack(kind, number) + payload)
            finally:
                self._sending.release()

    def receive(self) -> Tuple[bytes, int, bytes]:
        """Return (kind, number, payload). Raises OSError if the connection breaks or is silent for too long."""
        message = self.link.receive(_LONGEST)
        kind, number = _HEADER.unpack(message[: _HEADER.size])
        return kind, number, message[_HEADER.size :]


class HostChannel:
    """A star of connections: rank 0 listens, the others connect to it.

    Args:
        rank: of this process.
        world_size: number of processes.
        host: where rank 0 listens; '' for rank 0 itself is every address of its machine.
        port: where rank 0 listens.
        key: secret that all processes of one job share and no other job has.
        timeout: seconds without a sign of life after which a process counts as lost. A thread sends the signs, so a
            process that computes or compiles for a long time is not lost.
        start_timeout: seconds for all to connect.
        locations: where each rank is, for messages; empty if it is not known.

    Raises:
        UserError: the processes do not find each other.
    """

    def __init__(
        self,
        rank: int,
        world_size: int,
        host: str,
        port: int,
        key: bytes,
        timeout: float = 60.0,
        start_timeout: float = 600.0,
        locations: Sequence[str] = (),
    ) -> None:
        self.rank = rank
        self.world_size = world_size
        self._timeout = timeout
        self._locations = locations
        self._number = 0
        self._closing = threading.Event()
        self._loss = threading.Lock()
        deadline = time.monotonic() + start_timeout
        if rank == 0:
            links = gather(world_size, (host, port), key, deadline, locations)
        else:
            links = {0: join(rank, world_size, (host, port), key, deadline)}
        self._peers: Dict[int, _Peer] = {other: _Peer(other, links[other], timeout) for other in sorted(links)}
        for peer in self._peers.values():
            threading.Thread(target=self._listen, args=(peer,), daemon=True).start()
        threading.Thread(target=self._give_signs, daemon=True).start()

    def exchange(self, payload: bytes) -> List[bytes]:
        """Return the payloads of all processes, in order of rank. Every process has to call it."""
        self._number += 1
        payloads = [payload]
        peer = self._peers[1 if self.rank == 0 else 0]
        try:
            if self.rank:
                peer.send(_DATA, payload, self._number)
                return _split(self._data_of(peer), self.world_size)
            for peer in self._peers.values():
                payloads.append(self._data_of(peer))
            for peer in self._peers.values():
                peer.send(_DATA, _joined(payloads), self._number)
            return payloads
        except OSError as error:
            self._lose(peer.rank, self._reason(error))
            raise UserError(f'{listed([peer.rank], self._locations)} is lost: {self._reason(error)}')

    def close(self, failure: Optional[str] = None) -> None:
        """Close the connections: after all processes called it, or at once with a failure, which is sent to them."""
        if failure is None:
            self.exchange(b'')
        self._closing.set()
        for peer in self._peers.values():
            try:
                if failure is None:
                    peer.send(_END)
                else:
                    peer.send(_FAILURE, f'rank {self.rank} has ended: {failure}'.encode(), wait=_GOODBYE_SECONDS)
                # In one direction only, so that sent messages still arrive.
                peer.link.socket.shutdown(socket.SHUT_WR)
            except OSError:
                continue

    def _data_of(self, peer: _Peer) -> bytes:
        number, payload = peer.received.get()
        if number != self._number:
            raise OSError(f'rank {peer.rank} is at exchange {number}, rank {self.rank} at {self._number}')
        return payload

    def _listen(self, peer: _Peer) -> None:
        """Receive what a process sends, until it ends."""
        while True:
            try:
                kind, number, payload = peer.receive()
            except (OSError, struct.error) as error:
                return None if peer.has_ended else self._lose(peer.rank, self._reason(error))
            if kind == _DATA:
                peer.received.put((number, payload))
            elif kind == _END:
                peer.has_ended = True
            elif kind == _FAILURE:
                return self._lose(peer.rank, '', payload.decode('utf-8', 'replace'))

    def _give_signs(self) -> None:
        while not self._closing.wait(self._timeout / _SIGNS_PER_TIMEOUT):
            for peer in self._peers.values():
                try:
                    if not peer.has_ended:
                        # A message that another thread is sending is also a sign of life; one that is stuck must not
                        # delay the signs to the other processes.
                        peer.send(_ALIVE, wait=0)
                except OSError:
                    continue  # the listening thread reports it

    def _reason(self, error: Exception) -> str:
        if isinstance(error, socket.timeout):
            return f'no sign of life for {self._timeout:g} seconds'
        return str(error)

    def _lose(self, rank: int, reason: str, message: str = '') -> None:
        """End this process, and on rank 0 also the others, because one is lost."""
        if self._closing.is_set() or not self._loss.acquire(blocking=False):
            return
        message = message or f'{listed([rank], self._locations)} is lost: {reason}'
        if self.rank == 0:
            for peer in self._peers.values():
                try:
                    if peer.rank != rank:
                        peer.link.socket.settimeout(_GOODBYE_SECONDS)
                        peer.send(_FAILURE, message.encode(), wait=_GOODBYE_SECONDS)
                except OSError:
                    continue
        end_process(
            f'{message}; rank {self.rank} ends too: the last checkpoint is unchanged, start all ranks again to resume '
            'from it'
        )


def _joined(payloads: List[bytes]) -> bytes:
    return struct.pack(f'!{len(payloads)}Q', *map(len, payloads)) + b''.join(payloads)


def _split(joined: bytes, count: int) -> List[bytes]:
    lengths = struct.unpack_from(f'!{count}Q', joined)
    ends = list(itertools.accumulate(lengths))
    start = struct.calcsize(f'!{count}Q')
    return [joined[start + end - length : start + end] for length, end in zip(lengths, ends)]
