"""Finding: the result of a check, the table of all checks, and findings as lines of text."""

from dataclasses import dataclass
from typing import Dict, List, Sequence, Tuple

from hourglass_pose.errors import counted

# A few labels outside the crop are normal: limbs cut off by the image border, boxes that are slightly too small.
MOST_OUTSIDE = 0.05

# Fraction of unusual persons above which they harm the training.
MOST_ODD = 0.05

_SHOWN_NAMES = 4
_SHOWN_LENGTH = 160

# Every check, in the order of the report, and its line when it finds nothing ('' for no line).
CHECKS = {
    'lines': 'every line of the annotations can be used',
    'images': 'no image is missing{opened}',
    'split': 'no person is both trained on and validated with{copies}',
    'joints': 'every joint is labelled often enough',
    'labels': 'no label lies outside the images{opened}',
    'crops': 'every label lies in its crop',
    'scales': 'no person is absurdly small or large in its crop',
    'sides': 'left and right are consistent',
    'settings': 'length, warm-up and batches fit the data',
    'disk': '',
    'time': '',
}

# Checks that report a fact even if nothing is wrong.
_FACTS = ('disk', 'time')


@dataclass(frozen=True)
class Finding:
    """A fact about data or settings that the user should know.

    check: a key of CHECKS. harmful: whether it will harm the training; other findings are worth a look. message: one
    line. names: the persons or files concerned, none if all are.
    """

    check: str
    harmful: bool
    message: str
    names: Tuple[str, ...] = ()


def about_share(check: str, names: Sequence[str], total: int, most: float, what: str) -> List[Finding]:
    """Return [Finding] on the named persons of a total, harmful if their fraction exceeds `most`; [] for none."""
    if not names:
        return []
    share = len(names) / total
    message = f'{counted(len(names), "person")} ({100 * share:.2f} %) {what}'
    return [Finding(check, share > most, message, tuple(names))]


def format_findings(findings: Sequence[Finding], silent: Dict[str, str]) -> List[str]:
    """Return lines: a line for each check that found nothing and for each finding, then their count.

    silent: values for the placeholders in the texts of CHECKS.
    """
    lines = []
    for check, text in CHECKS.items():
        of_check = [finding for finding in findings if finding.check == check]
        if not of_check and text:
            lines.append(f'ok        {check}: {text.format(**silent)}')
        for finding in of_check:
            word = 'HARMFUL' if finding.harmful else 'ok' if check in _FACTS else 'note'
            lines.append(f'{word:9} {check}: {finding.message}{_some(finding.names)}')
    harmful = sum(finding.harmful for finding in findings)
    lines.append(
        f'{counted(harmful, "finding")} will hurt the training'
        if harmful
        else 'nothing was found that will hurt the training'
    )
    return lines


def _some(names: Sequence[str]) -> str:
    if not names:
        return ''
    shown = [name if len(name) <= _SHOWN_LENGTH else f'{name[:_SHOWN_LENGTH]}..' for name in names[:_SHOWN_NAMES]]
    others = len(names) - _SHOWN_NAMES
    return f': {"; ".join(shown)}{f"; and {others:,} more" if others > 0 else ""}'
