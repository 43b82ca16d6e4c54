"""What a run has decided so far: its configuration, whether a person has ended it, and what each round selected."""

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Registry
from winnow_wire.topic_reader import BEGINNING, TopicReader

log = logging.getLogger('winnow.trainer')

RUNS = 'winnow.runs'
Manifest = Mapping[str, Any]


def topic_of(run: str, kind: str) -> str:
    return f'winnow.run.{run}.{kind}'


def group_of(run: str) -> str:
    """No offsets are committed to it; permissions cover its name."""
    return f'winnow.{run}.trainer.python'


class RunLog:
    """Follows `winnow.runs` and the run's decisions from their beginnings. For one thread."""

    def __init__(self, connection: Connection, registry: Registry, run: str) -> None:
        self._run, self._decisions = run, topic_of(run, 'console-state')
        self._reader = TopicReader(connection.kafka, {RUNS: BEGINNING}, group_of(run))
        self._records = {RUNS: Reader(registry, 'Run'), self._decisions: Reader(registry, 'Manifest')}
        self._recorded: Mapping[str, Any] | None = None
        self.manifests: dict[int, Manifest] = {}
        self._read_to_end()
        if self._recorded is None:
            self.close()
            raise WinnowError('CONFIGURATION', f'there is no run {run}', 'winnow run list names them.')
        # Only now it is sure that this topic is one.
        self._reader.assign({RUNS: BEGINNING, self._decisions: BEGINNING})
        self._read_to_end()

    @property
    def config(self) -> dict[str, Any]:
        """run.yaml, as it was recorded."""
        assert self._recorded is not None
        config: dict[str, Any] = json.loads(self._recorded['config'])
        return config

    @property
    def ended(self) -> bool:
        """Whether a person has ended the run, or deleted it."""
        return self._recorded is None or self._recorded.get('life', 'active') in ('ended', 'archived')

    def _read_to_end(self) -> None:
        while not all(self._reader.at_end.values()):
            self.poll(1.0)

    def poll(self, seconds: float) -> None:
        """Takes in one record, if one comes in this time."""
        message = self._reader.poll(seconds)
        if message is None:
            return
        key, topic = (message.key() or b'').decode(errors='replace'), str(message.topic())
        if topic == RUNS and key == self._run and message.value() is None:
            self._recorded = None
        if message.value() is None or not (topic == RUNS and key == self._run or key.startswith('selected/')):
            return
        try:
            value = self._records[topic].value(message.value())
        except DecodeError as error:
            # The stations that read this topic keep it as a dead letter.
            log.warning('%s@%s is left out: %s', topic, message.offset(), error)
            return
        if topic == RUNS:
            self._recorded = value
        else:
            self.manifests[value['round']] = value

    def manifest(self, round: int, waiting: Callable[[], None]) -> Manifest:
        """What a round selected. Until it is there, calls `waiting` several times a second, which may raise. Raises WinnowError
        POSITION_REFUSED for a round that will never be selected, INTERRUPTED where the run has ended."""
        while round not in self.manifests:
            newest = max(self.manifests, default=-1)
            if round < newest:
                # Rounds are selected in order.
                hint = 'Resume with a checkpoint of this run, or start the run again.'
                message = f'round {round} of run {self._run} was never selected, round {newest} was'
                raise WinnowError('POSITION_REFUSED', message, hint)
            if self.ended and all(self._reader.at_end.values()):
                raise WinnowError('INTERRUPTED', f'run {self._run} has ended, and round {round} was not selected')
            waiting()
            self.poll(0.2)
        manifest = self.manifests[round]
        if manifest['documents'] == 0:
            hint = 'winnow status says what the corpus holds.'
            raise WinnowError('POSITION_REFUSED', f'the selection of round {round} of run {self._run} is empty', hint)
        return manifest

    def close(self) -> None:
        self._reader.close()
