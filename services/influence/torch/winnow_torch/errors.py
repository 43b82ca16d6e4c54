"""What a person is told when the worker ends, with the exit codes of all of winnow's commands."""

EXIT_CODES = dict(CONFIGURATION=3, MODEL_UNUSABLE=3, UNREACHABLE=4, BAD_DATA=5, CHECKPOINT_INCOMPLETE=5)


class WorkerError(Exception):
    """A stable code, what happened, and what to do. `retriable`: it may pass by itself."""

    def __init__(self, code, message, hint=None, retriable=False):
        super().__init__(message)
        self.code = code
        self.hint = hint
        self.retriable = retriable

    @property
    def exit_code(self):
        return EXIT_CODES.get(self.code, 1)

    def line(self):
        parts = [f'{self.code}: {self}', self.hint]
        return 'winnow: ' + ' '.join(part if part[-1] in '.!?' else f'{part}.' for part in parts if part)
