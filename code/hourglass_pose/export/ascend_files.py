"""What turns a frozen graph into an offline model for Ascend: aipp.cfg and the call of ATC."""

import os
import shlex
import shutil
import subprocess

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.export.offline_graph import INPUT
from hourglass_pose.files import write_whole

_LINES_SHOWN = 5


def write_aipp(path, offline):
    """Write the aipp.cfg of an OfflineGraph that leaves normalising to it."""
    write_whole(path, aipp_config(offline.input_shape[1], offline.input_mean).encode('ascii'))


def aipp_config(size, input_mean):
    """Return the text of an aipp.cfg that makes the network's input of uint8 RGB images of size x size pixels.

    AIPP computes (value - mean_chn - min_chn) * var_reci_chn, mean_chn being a whole number and the others of half
    precision. So a mean of values up to 255 is given by its whole part and its fraction.
    """
    lines = [
        'aipp_op {',
        '    aipp_mode: static',
        '    input_format: RGB888_U8',
        '    csc_switch: false',
        '    src_image_size_w: %d' % size,
        '    src_image_size_h: %d' % size,
    ]
    whole, fraction = split_mean(input_mean)
    for key, values, pattern in (
        ('mean_chn', whole, '%d'),
        ('min_chn', fraction, '%.9g'),
        ('var_reci_chn', [1 / 255.0] * 3, '%.10g'),
    ):
        lines += ['    %s_%d: %s' % (key, channel, pattern % value) for channel, value in enumerate(values)]
    return '\n'.join(lines + ['}']) + '\n'


def split_mean(input_mean):
    """Return (whole parts, fractions) of means of [0, 1] in values up to 255."""
    # Decimal numbers of the config such as 0.4404 are meant, not the float next to them.
    values = np.round(255.0 * np.asarray(input_mean, np.float64), 9)
    return np.floor(values).astype(int), values - np.floor(values)


def atc_command(offline, name, soc_version, precision_mode):
    """Return the words of ATC's call that makes NAME.om of NAME.pb, both in the folder that it is called in."""
    shape = ','.join(str(side) for side in offline.input_shape)
    return [
        'atc',
        f'--model={name}.pb',
        '--framework=3',
        '--input_format=NHWC',
        f'--input_shape={INPUT}:{shape}',
        '--out_nodes={}'.format(';'.join(output + ':0' for output in offline.outputs)),
        f'--output={name}',
        f'--soc_version={soc_version}',
        f'--precision_mode={precision_mode}',
    ] + (['--insert_op_conf=aipp.cfg'] if offline.input_type == 'float32' else [])


def write_atc_script(path, command):
    """Write a shell script that runs ATC in the script's folder."""
    text = (
        "#!/bin/sh\n# Makes the offline model for Ascend; needs the toolkit's set_env.sh sourced.\n"
        'cd "$(dirname "$0")" || exit 2\nexec {}\n'.format(' '.join(shlex.quote(word) for word in command))
    )
    write_whole(path, text.encode('ascii'))
    os.chmod(path, 0o755)


def run_atc(folder, command):
    """Run ATC in a folder and return whether there is one. Raises UserError, with its last lines, when it fails."""
    program = shutil.which(command[0])
    if program is None:
        return False
    done = subprocess.run(
        [program] + command[1:], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        raise UserError(
            'atc failed with exit code %d: %s; the call is in %s'
            % (
                done.returncode,
                ' | '.join(done.stdout.strip().splitlines()[-_LINES_SHOWN:]),
                os.path.join(folder, 'atc.sh'),
            )
        )
    return True
