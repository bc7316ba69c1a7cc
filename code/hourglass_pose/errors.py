"""The exceptions that end a command with one line for the user instead of a traceback, and how such lines count."""


class UserError(Exception):
    """A mistake that the user can mend: the command prints it as one line and exits with code 2.

    The message says what is wrong, where, what was found, what is allowed and what to do.
    """


class ConfigError(UserError):
    """config.cfg or an override of it is wrong."""


class AnnotationError(UserError):
    """An annotation file is wrong, or does not fit its images."""


class ImageError(UserError):
    """A picture cannot be read."""


class CheckpointError(UserError):
    """A checkpoint is missing, damaged, or of another network."""


class TrainingError(UserError):
    """Training cannot go on, for instance because the loss is not finite."""


class LaunchError(UserError):
    """A run cannot be started on the devices as it was asked for."""


def counted(number: int, noun: str) -> str:
    """Return a count with its noun, such as '1 person', '1,234 persons' and '2 persons by their labels'."""
    first, _, rest = noun.partition(' ')
    return f'{number:,} {first}{"" if number == 1 else "s"}{rest and " " + rest}'
