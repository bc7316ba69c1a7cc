"""The secret key that identifies the processes of one job to each other."""

import os
from typing import Mapping

from hourglass_pose.errors import ConfigError

JOB_KEY = 'HOURGLASS_JOB_KEY'
_SHORTEST_FILE = 16  # bytes


def job_key(environment: Mapping[str, str] = os.environ) -> bytes:
    """Return the key of this process's job: HOURGLASS_JOB_KEY, a text or the absolute path of a file, or JOB_ID.

    Raises:
        ConfigError: neither is set, or the file cannot be read or is nearly empty.
    """
    text = environment.get(JOB_KEY) or environment.get('JOB_ID')
    if not text:
        raise ConfigError(
            f'environment: {JOB_KEY}: expected the same secret text, or the path of a file with it, in all processes '
            'of the job, found neither it nor JOB_ID; set one of them on every server'
        )
    if not (environment.get(JOB_KEY) and os.path.isabs(text)):
        return text.encode('utf-8', 'surrogateescape')
    try:
        with open(text, 'rb') as stream:
            content = stream.read().strip()
    except OSError as error:
        raise ConfigError(f'environment: {JOB_KEY}: {text} cannot be read ({error.strerror}); give a readable file')
    if len(content) < _SHORTEST_FILE:
        raise ConfigError(
            f'environment: {JOB_KEY}: expected at least {_SHORTEST_FILE} bytes in {text}, found {len(content)}; '
            f'"head -c 32 /dev/urandom | base64 > {text}" makes a key'
        )
    return content
