"""When training goes on to the selection of which round: services/trainer/switching.ts (docs/trainer.md, "Modes")."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Steps between two looks of mode `ready`, where a run does not say.
EVERY_DEFAULT = 10


@dataclass(frozen=True)
class ByLag:
    """`wait` and `lag`: the run's configuration alone says when. Round k begins at step kU + L."""

    update_steps: int
    lag: int = 0

    def round(self, step: int, round: int) -> int | None:
        """The round of the step after `step` steps, the last of which was of `round`; None: that is not decided yet."""
        return max(0, (step - self.lag) // self.update_steps)

    def before(self, step: int) -> int:
        """The round of the last of `step` steps."""
        return max(0, (step - 1 - self.lag) // self.update_steps)

    def begun(self, round: int) -> int:
        """The step that a round began with, if a step was of it."""
        return round * self.update_steps + self.lag if round > 0 else 0

    def undecided(self, step: int, steps: int) -> list[int]:
        """The steps for which has to be decided before the step after `step`, by the process that leads."""
        return []


@dataclass(frozen=True)
class Ready:
    """`ready`: before the first step after each multiple of N steps it is recorded which round begins N steps later. All ranks follow the
    log, the one that decides too: so does a training that goes back to an earlier checkpoint."""

    every: int
    # Of the log, which grows: by the step that it begins with.
    decided: Mapping[int, int]

    def round(self, step: int, round: int) -> int | None:
        unknown = None if step > 0 and step % self.every == 0 else round
        return self.decided.get(step, unknown)

    def before(self, step: int) -> int:
        return max((round for begins, round in dict(self.decided).items() if begins < step), default=0)

    def begun(self, round: int) -> int:
        # Rounds never go back.
        return min((begins for begins, begun in dict(self.decided).items() if begun == round), default=0) if round > 0 else 0

    def undecided(self, step: int, steps: int) -> list[int]:
        # The first of them is missing only where nobody led until now.
        due = [step // self.every * self.every, (step // self.every + 1) * self.every]
        return [at for at in due if step <= at < steps and at > 0 and at not in self.decided]


Switching = ByLag | Ready


def switching_of(config: Mapping[str, Any], decided: Mapping[int, int]) -> Switching:
    """That of a run's configuration."""
    mode = config['trainer'].get('switch', 'wait')
    if mode == 'ready':
        return Ready(EVERY_DEFAULT, decided)
    if isinstance(mode, Mapping) and 'ready' in mode:
        return Ready(mode['ready'], decided)
    return ByLag(config['updateSteps'], mode['lag'] if isinstance(mode, Mapping) else 0)
