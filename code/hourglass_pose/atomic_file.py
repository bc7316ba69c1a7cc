"""Writing a file so that it appears whole or not at all."""

import os

from hourglass_pose.errors import UserError


def write_whole(path, content):
    """Write bytes to `path`, where even after a kill there is the old file or the new one, never a part.

    Raises UserError if the folder, its permissions or the disk do not allow it.
    """
    path = os.fspath(path)
    partial = '%s.%d.partial' % (path, os.getpid())
    try:
        try:
            with open(partial, 'wb') as stream:
                stream.write(content)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(partial, path)
        finally:
            if os.path.exists(partial):
                os.remove(partial)
    except OSError as error:
        raise UserError('%s: cannot be written (%s); check the folder, its permissions and the disk space'
                        % (path, error.strerror or error))
