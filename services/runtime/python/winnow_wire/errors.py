"""What a person is told when a program ends, with the exit codes of all of winnow's commands (topologies/errors.ts)."""

EXIT_CODES = {
    'USAGE': 2,
    'CONFIGURATION': 3,
    'MODEL_UNUSABLE': 3,
    'FENCED': 3,
    'UNREACHABLE': 4,
    'BAD_DATA': 5,
    'CHECKPOINT_INCOMPLETE': 5,
    'POSITION_REFUSED': 5,
    'GUARANTEE_VIOLATED': 6,
    'INTERRUPTED': 130,
}


class WinnowError(Exception):
    """A stable code, what happened, and what to do. `retriable`: it may pass by itself."""

    def __init__(self, code: str, message: str, hint: str | None = None, retriable: bool = False) -> None:
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.retriable = retriable

    @property
    def exit_code(self) -> int:
        return EXIT_CODES.get(self.code, 1)

    def line(self) -> str:
        parts = [f'{self.code}: {self}', self.hint]
        return 'winnow: ' + ' '.join(part if part[-1] in '.!?' else f'{part}.' for part in parts if part)
