"""Files that turn a frozen graph into an offline model for Ascend: aipp.cfg and the call of ATC."""

import os
import shlex
import shutil
import subprocess
from typing import List, Sequence, Tuple

import numpy as np

from hourglass_pose.errors import UserError
from hourglass_pose.export.offline_graph import INPUT, OfflineGraph
from hourglass_pose.files import write_whole

_LINES_SHOWN = 5


def write_aipp(path: str, offline: OfflineGraph) -> None:
    """Write the aipp.cfg of an OfflineGraph that leaves the normalisation to AIPP."""
    write_whole(path, aipp_config(offline.input_shape[1], offline.input_mean).encode('ascii'))


def aipp_config(size: int, input_mean: Sequence[float]) -> str:
    """Return the text of an aipp.cfg that makes the network's input of uint8 RGB images of size x size pixels.

    AIPP computes (value - mean_chn - min_chn) * var_reci_chn, where mean_chn is an integer and the others have half
    precision. So a mean of values up to 255 is split into its integer part and its fraction.
    """
    lines = [
        'aipp_op {',
        '    aipp_mode: static',
        '    input_format: RGB888_U8',
        '    csc_switch: false',
        f'    src_image_size_w: {size}',
        f'    src_image_size_h: {size}',
    ]
    integers, fractions = split_mean(input_mean)
    lines += [f'    mean_chn_{channel}: {value}' for channel, value in enumerate(integers.tolist())]
    lines += [f'    min_chn_{channel}: {value:.9g}' for channel, value in enumerate(fractions.tolist())]
    lines += [f'    var_reci_chn_{channel}: {1 / 255.0:.10g}' for channel in range(3)]
    return '\n'.join(lines + ['}']) + '\n'


def split_mean(input_mean: Sequence[float]) -> Tuple[np.ndarray, np.ndarray]:
    """Return (integer parts, fractions) of means of [0, 1] in values up to 255."""
    # Rounded, as the mean is a decimal number such as 0.4404 and not the nearest float.
    values = np.round(255.0 * np.asarray(input_mean, np.float64), 9)
    return np.floor(values).astype(int), values - np.floor(values)


def atc_command(offline: OfflineGraph, name: str, soc_version: str, precision_mode: str) -> List[str]:
    """Return the words of the ATC call that makes NAME.om of NAME.pb, run in the folder that holds both."""
    shape = ','.join(str(length) for length in offline.input_shape)
    return [
        'atc',
        f'--model={name}.pb',
        '--framework=3',
        '--input_format=NHWC',
        f'--input_shape={INPUT}:{shape}',
        f'--out_nodes={";".join(f"{output}:0" for output in offline.outputs)}',
        f'--output={name}',
        f'--soc_version={soc_version}',
        f'--precision_mode={precision_mode}',
    ] + (['--insert_op_conf=aipp.cfg'] if offline.input_type == 'float32' else [])


def write_atc_script(path: str, command: Sequence[str]) -> None:
    """Write a shell script that runs ATC in the script's folder."""
    text = (
        "#!/bin/sh\n# Makes the offline model for Ascend; needs the toolkit's set_env.sh sourced.\n"
        f'cd "$(dirname "$0")" || exit 2\nexec {" ".join(map(shlex.quote, command))}\n'
    )
    write_whole(path, text.encode('ascii'))
    os.chmod(path, 0o755)


def run_atc(folder: str, command: Sequence[str]) -> bool:
    """Run ATC in a folder and return whether it is installed. Raises UserError with its last lines if it fails."""
    program = shutil.which(command[0])
    if program is None:
        return False
    done = subprocess.run(
        [program, *command[1:]], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        last_lines = ' | '.join(done.stdout.strip().splitlines()[-_LINES_SHOWN:])
        raise UserError(
            f'atc failed with exit code {done.returncode}: {last_lines}; its command is in '
            f'{os.path.join(folder, "atc.sh")}'
        )
    return True
