"""Star: collectives between processes by TCP connections to rank 0, at the address that its server has in the table."""

import json
import os
import socket
import struct
import threading
import time
import zlib

import numpy as np

from stand_in import StandInError, rank, size

REDUCTIONS = {'sum': np.add, 'prod': np.multiply, 'min': np.minimum, 'max': np.maximum}


def meeting_point():
    """Return (host, port) of rank 0. The port is given, or drawn from what the ranks of one job have in common."""
    given, path = os.environ.get('HOURGLASS_STAND_IN_PORT'), os.environ.get('RANK_TABLE_FILE')
    host, common = os.environ.get('CM_CHIEF_IP') or '127.0.0.1', os.environ.get('JOB_ID', '').encode()
    if path:
        # Each server may have its own copy of the table.
        with open(path, 'rb') as stream:
            content = stream.read()
        common += content
        servers = json.loads(content.decode())['server_list']
        first = next(each for each in servers if any(device['rank_id'] == '0' for device in each['device']))
        host = first.get('host_ip', first['server_id'])
    return host, int(given) if given else 20000 + zlib.crc32(common) % 20000


def send(connection, header, data=b''):
    text = json.dumps(header).encode()
    connection.sendall(struct.pack('!II', len(text), len(data)) + text + data)


def receive(connection):
    """Return (header, data), or None where the other side is gone."""
    sizes = receive_bytes(connection, 8)
    if sizes is None:
        return None
    text_size, data_size = struct.unpack('!II', sizes)
    text, data = receive_bytes(connection, text_size), receive_bytes(connection, data_size)
    return None if text is None or data is None else (json.loads(text.decode()), data)


def receive_bytes(connection, count):
    parts = []
    while count:
        try:
            part = connection.recv(min(count, 1 << 20))
        except OSError:
            return None
        if not part:
            return None
        parts.append(part)
        count -= len(part)
    return b''.join(parts)


class Hub:
    """Rank 0's side: waits for every rank's part of a collective, combines them in the order of the ranks, replies."""

    def __init__(self, world_size):
        self._connections = [None] * world_size
        self._locks = [threading.Lock() for _ in range(world_size)]
        self._parts = {}
        self._lock = threading.Lock()
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.bind(meeting_point())
        self._listener.listen(world_size)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        for _ in self._connections:
            connection = self._listener.accept()[0]
            other = receive(connection)[0]['rank']
            self._connections[other] = connection
        for other, connection in enumerate(self._connections):
            send(connection, {'welcome': True})
            threading.Thread(target=self._serve, args=(other, connection), daemon=True).start()

    def _serve(self, other, connection):
        while True:
            message = receive(connection)
            if message is None:
                return
            key = message[0]['key']
            with self._lock:
                parts = self._parts.setdefault(key, {})
                parts[other] = message
                complete = len(parts) == len(self._connections)
                if complete:
                    del self._parts[key]
            if complete:
                self._reply(key, [parts[number] for number in range(len(parts))])

    def _reply(self, key, parts):
        header, data = parts[0]
        if any(other != header for other, _ in parts):
            reply = {
                'key': key,
                'trouble': f'the ranks disagree about {key}: {[other for other, _ in parts if other != header][0]}',
            }
        elif header['reduction'] == 'gather':
            reply, data = {'key': key}, b''.join(part for _, part in parts)
        elif header['reduction'] == 'root':
            reply, data = {'key': key}, parts[header['root']][1]
        else:
            reply, data = {'key': key}, self._reduce(header, [part for _, part in parts])
        for connection, lock in zip(self._connections, self._locks):
            with lock:
                try:
                    send(connection, reply, data)
                except OSError:
                    pass

    @staticmethod
    def _reduce(header, parts):
        total = np.frombuffer(parts[0], header['dtype'])
        for part in parts[1:]:
            total = REDUCTIONS[header['reduction']](total, np.frombuffer(part, header['dtype']))
        return total.tobytes()


class Star:
    """One rank's side. Connects to all the other ranks; a lost rank leaves a collective waiting, as on the device."""

    def __init__(self):
        self._hub = Hub(size()) if rank() == 0 else None
        self._connection = self._connect()
        send(self._connection, {'rank': rank()})
        if receive(self._connection) is None:
            raise StandInError('rank 0 is gone before all ranks had come')
        self._waiting, self._counts = {}, {}
        self._lock, self._send_lock = threading.Lock(), threading.Lock()
        threading.Thread(target=self._listen, daemon=True).start()

    @staticmethod
    def _connect():
        end = time.time() + 120
        while True:
            try:
                return socket.create_connection(meeting_point())
            except OSError:
                if time.time() > end:
                    raise StandInError('rank 0 does not answer')
                time.sleep(0.05)

    def _listen(self):
        while True:
            message = receive(self._connection)
            if message is None:
                return
            with self._lock:
                entry = self._waiting.pop(message[0]['key'])
            entry[1] = message
            entry[0].set()

    def exchange(self, name, reduction, data, dtype='uint8', root=0):
        """Return the bytes that come of every rank's bytes: reduced, gathered, or those of the root."""
        with self._lock:
            count = self._counts[name] = self._counts.get(name, 0) + 1
            key = f'{name}#{count}'
            entry = self._waiting[key] = [threading.Event(), None]
        header = {'key': key, 'reduction': reduction, 'dtype': str(dtype), 'root': root, 'count': len(data)}
        with self._send_lock:
            try:
                send(self._connection, header, data)
            except OSError:
                pass
        if not entry[0].wait(float(os.environ.get('HOURGLASS_STAND_IN_PATIENCE', '1800'))):
            raise StandInError(f'{name} waited too long for a rank')
        reply, data = entry[1]
        if 'trouble' in reply:
            raise StandInError(reply['trouble'])
        return data
