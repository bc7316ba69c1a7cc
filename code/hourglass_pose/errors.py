"""The exceptions that end a command with one line for the user instead of a traceback, and their wording."""


class UserError(Exception):
    """A mistake that the user can correct: the command prints it as one line and exits with code 2.

    The message states what is wrong, where, what was found, what is allowed and what to do.
    """


class ConfigError(UserError):
    """config.cfg or an override of it is wrong."""


class AnnotationError(UserError):
    """An annotation file is wrong, or does not fit its images."""


class ImageError(UserError):
    """An image cannot be read."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, or of another network."""


class TrainingError(UserError):
    """Training cannot continue, for instance because the loss is not finite."""


class LaunchError(UserError):
    """A run cannot be started on the requested devices."""


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, such as '1 person', '1,234 persons' and '2 persons by their labels'."""
    first, _, rest = noun.partition(' ')
    return f'{number:,} {first}{"" if number == 1 else "s"}{rest and " " + rest}'


def excerpt(text: str) -> str:
    """Return a value's text for a message, cut to 60 characters."""
    return text if len(text) <= 60 else f'{text[:57]}...'
