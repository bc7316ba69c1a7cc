"""HostChannel: what the processes of one training tell each other over the hosts' network, beside their devices."""

import json
import os
import queue
import socket
import struct
import sys
import threading
import time

from hourglass_pose.errors import UserError

LOST_RANK = 3
"""Exit code of a process that ends because another one has."""

_HEADER = struct.Struct('!cIQ')  # kind, number of the exchange, bytes that follow
_HELLO, _WELCOME, _ALIVE, _DATA, _FAILURE, _END = b'H', b'W', b'A', b'D', b'F', b'E'
_SIGNS_PER_TIMEOUT = 4
_RETRY_SECONDS = 0.2


def end_process(message):
    """Say why in one line and end at once, whatever the other threads are blocked in."""
    try:
        sys.stderr.write(f'error: {message}\n')
        sys.stderr.flush()
        sys.stdout.flush()
    finally:
        # Whoever read what is written may be gone as well, and then writing fails.
        os._exit(LOST_RANK)


class _Peer:
    """A connected process. rank: its rank, None while it is unknown."""

    def __init__(self, connection, rank=None):
        self.connection = connection
        self.rank = rank
        self.received = queue.Queue()
        self.has_ended = False
        self._sending = threading.Lock()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def send(self, kind, payload=b'', number=0):
        with self._sending:
            self.connection.sendall(_HEADER.pack(kind, number, len(payload)) + payload)

    def receive(self):
        """Return (kind, number, payload). Raises OSError where the connection breaks or is silent for too long."""
        kind, number, length = _HEADER.unpack(self._read(_HEADER.size))
        return kind, number, self._read(length)

    def _read(self, count):
        parts = []
        while count:
            part = self.connection.recv(min(count, 2**20))
            if not part:
                raise OSError('the connection was closed')
            parts.append(part)
            count -= len(part)
        return b''.join(parts)


class HostChannel:
    """A star of connections: rank 0 listens, the others connect to it.

    rank, world_size: of this process. host, port: where rank 0 listens. token: text that all processes of one job
    share and no other job has. timeout: seconds without a sign of life after which a process counts as lost; signs
    are sent by a thread, so that a process that computes or compiles for long does not. start_timeout: seconds for all
    to connect. on_lost(message): called once, from another thread, when a process is lost or has failed; it must not
    return to work that needs the others.
    Raises UserError where the processes do not find each other.
    """

    def __init__(self, rank, world_size, host, port, token='', timeout=60.0, start_timeout=600.0, on_lost=end_process):
        self.rank = rank
        self.world_size = world_size
        self._place = (host, port)
        self._hello = {'token': token, 'world_size': world_size}
        self._timeout = timeout
        self._on_lost = on_lost
        self._number = 0
        self._closing = threading.Event()
        self._loss = threading.Lock()
        deadline = time.time() + start_timeout
        self._peers = self._gather(deadline) if rank == 0 else {0: self._join(deadline)}
        for peer in self._peers.values():
            peer.connection.settimeout(timeout)
            threading.Thread(target=self._listen, args=(peer,), daemon=True).start()
        threading.Thread(target=self._give_signs, daemon=True).start()

    def exchange(self, payload):
        """Return the list of the bytes that each process gave, in order of rank; every process has to call it."""
        self._number += 1
        try:
            if self.rank:
                self._peers[0].send(_DATA, payload, self._number)
                return _split(self._data_of(self._peers[0]))
            payloads = [payload] + [self._data_of(self._peers[rank]) for rank in range(1, self.world_size)]
            for peer in self._peers.values():
                peer.send(_DATA, _joined(payloads), self._number)
            return payloads
        except OSError as error:
            # The thread that listens will say it; there is nothing to go on with.
            self._lose(0 if self.rank else None, f'the connection broke ({error})')
            raise UserError(f'the processes have lost each other ({error})')

    def close(self, failure=None):
        """End the connections: after all have come here, or at once with a failure, of which the others are told."""
        if failure is None:
            self.exchange(b'')
        self._closing.set()
        for peer in self._peers.values():
            try:
                if failure is None:
                    peer.send(_END)
                else:
                    peer.send(_FAILURE, ('rank %d has ended: %s' % (self.rank, failure)).encode('utf-8'))
                # Half of it: what was sent still arrives.
                peer.connection.shutdown(socket.SHUT_WR)
            except OSError:
                continue

    def _gather(self, deadline):
        """Return {rank: _Peer} of all other processes, as they connect to this one."""
        peers = {}
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind(self._place)
            except OSError as error:
                raise UserError(
                    'port %d at %s, where rank 0 meets the others, cannot be opened (%s); set another '
                    'Device.rank_port' % (self._place[1], self._place[0] or 'this host', error.strerror)
                )
            listener.listen(self.world_size)
            while len(peers) < self.world_size - 1:
                missing = sorted(set(range(1, self.world_size)) - set(peers))
                listener.settimeout(max(deadline - time.time(), 0.01))
                try:
                    peer = _Peer(listener.accept()[0])
                except socket.timeout:
                    raise UserError(
                        'rank %s did not connect to rank 0 at port %d; look into the logs of these ranks'
                        % (', '.join(map(str, missing)), self._place[1])
                    )
                if self._welcome(peer, missing):
                    peers[peer.rank] = peer
        return peers

    def _welcome(self, peer, missing):
        """Return whether a connection is of a process that is waited for; others are sent away."""
        peer.connection.settimeout(self._timeout)
        try:
            kind, rank, payload = peer.receive()
            if kind == _HELLO and rank in missing and json.loads(payload.decode('utf-8')) == self._hello:
                peer.rank = rank
                peer.send(_WELCOME)
                return True
            peer.send(_FAILURE, b'rank 0 waits for other ranks or belongs to another job')
        except (OSError, ValueError, struct.error, MemoryError):
            pass  # nothing that speaks our language
        peer.connection.close()
        return False

    def _join(self, deadline):
        """Return the _Peer of rank 0, as soon as it listens."""
        while True:
            try:
                peer = _Peer(socket.create_connection(self._place, timeout=self._timeout), rank=0)
                peer.send(_HELLO, json.dumps(self._hello).encode('utf-8'), self.rank)
                peer.connection.settimeout(max(deadline - time.time(), 0.01))
                kind, _, payload = peer.receive()
                if kind == _WELCOME:
                    return peer
                raise UserError(
                    'rank %d is not taken in at %s:%d: %s; give every job on these hosts its own '
                    'Device.rank_port' % ((self.rank,) + self._place + (payload.decode('utf-8'),))
                )
            except OSError as error:
                if time.time() > deadline:
                    raise UserError(
                        'rank %d does not reach rank 0 at %s:%d (%s); look into the log of rank 0'
                        % ((self.rank,) + self._place + (error.strerror or error,))
                    )
                time.sleep(_RETRY_SECONDS)

    def _data_of(self, peer):
        number, payload = peer.received.get()
        if number != self._number:
            raise OSError('rank %d is at exchange %d, rank %d at %d' % (peer.rank, number, self.rank, self._number))
        return payload

    def _listen(self, peer):
        """Take in what a process sends, until it ends."""
        while True:
            try:
                kind, number, payload = peer.receive()
            except socket.timeout:
                return self._lose(peer.rank, f'no sign of life for {self._timeout:g} seconds')
            except OSError as error:
                if not peer.has_ended:
                    self._lose(peer.rank, str(error))
                return None
            if kind == _DATA:
                peer.received.put((number, payload))
            elif kind == _END:
                peer.has_ended = True
            elif kind == _FAILURE:
                return self._lose(peer.rank, None, payload.decode('utf-8', 'replace'))

    def _give_signs(self):
        while not self._closing.wait(self._timeout / _SIGNS_PER_TIMEOUT):
            for peer in self._peers.values():
                try:
                    if not peer.has_ended:
                        peer.send(_ALIVE)
                except OSError:
                    continue  # the thread that listens to it knows it, too

    def _lose(self, rank, reason, message=None):
        """End this process, and from rank 0 the others, for the loss of one."""
        if self._closing.is_set() or not self._loss.acquire(blocking=False):
            return
        message = message or f'rank {rank} is lost: {reason}'
        if self.rank == 0:
            for peer in self._peers.values():
                try:
                    peer.connection.settimeout(1.0)
                    peer.send(_FAILURE, message.encode('utf-8'))
                except OSError:
                    continue
        self._on_lost(
            '%s; rank %d ends, too: the last checkpoint is untouched, start all ranks again to go on from '
            'it' % (message, self.rank)
        )


def _joined(payloads):
    return b''.join(struct.pack('!Q', len(payload)) + payload for payload in payloads)


def _split(joined):
    payloads, start = [], 0
    while start < len(joined):
        (length,) = struct.unpack_from('!Q', joined, start)
        payloads.append(joined[start + 8 : start + 8 + length])
        start += 8 + length
    return payloads
