"""Partitions of a few topics, from given offsets on: what was committed, by nobody's group."""

import logging
import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from .errors import WinnowError

log = logging.getLogger('winnow.kafka')

BEGINNING = -2
# Brokers that are away come back; after this long a person should look.
UNREACHABLE_SECONDS = 600
LOOK_SECONDS = 5
REFUSALS = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.GROUP_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError.SASL_AUTHENTICATION_FAILED,
    KafkaError._AUTHENTICATION,
}


Partition = tuple[str, int]


class PartitionReader:
    """`ended` tells of each partition whether all was read that there was, `next` from which offset on it was not."""

    def __init__(self, kafka: Mapping[str, Any], starts: Mapping[Partition, int], group: str, brief: bool = False) -> None:
        """`group`: a name that the permissions of this reader cover; offsets are not committed. `brief`: for somebody who waits for
        the ends of partitions, and then goes."""
        self._failure: WinnowError | None = None
        self._answered = time.monotonic()
        self._consumer = Consumer(
            dict(kafka)
            | {
                'group.id': group,
                'enable.auto.commit': False,
                'enable.partition.eof': True,
                # How long brokers hold an answer without records. The end of a partition is known after that.
                'fetch.wait.max.ms': 10 if brief else 500,
                'isolation.level': 'read_committed',
                'auto.offset.reset': 'error',
                'allow.auto.create.topics': False,
                'error_cb': self._on_error,
                'logger': log,
            }
        )
        self.ended: dict[Partition, bool] = {}
        self.next: dict[Partition, int] = {}
        self.assign_partitions(starts)

    def assign_partitions(self, starts: Mapping[Partition, int]) -> None:
        """Reads these partitions from these offsets, and nothing else any more."""
        self.ended = dict.fromkeys(starts, False)
        self.next = {partition: self._known(partition) if at == BEGINNING else at for partition, at in starts.items()}
        self._consumer.assign([TopicPartition(topic, partition, offset) for (topic, partition), offset in self.next.items()])

    def _known(self, partition: Partition) -> int:
        """The offset of a beginning: librdkafka would ask for it half a second later, when it knows the leader."""
        try:
            return self._first_offset(partition, LOOK_SECONDS)
        except KafkaException as error:
            log.debug('%s[%d]: %s', *partition, error)
            return BEGINNING

    def _first_offset(self, partition: Partition, seconds: float) -> int:
        first: int = self._consumer.get_watermark_offsets(TopicPartition(*partition), timeout=seconds)[0]
        return first

    def first_offset(self, partition: Partition) -> int:
        """Of the records that the partition still has. Raises WinnowError UNREACHABLE."""
        try:
            return self._first_offset(partition, 60)
        except KafkaException as error:
            raise WinnowError(
                'UNREACHABLE', f'{partition[0]} cannot be read: {error}', 'WINNOW_BROKERS names them.', True
            ) from error

    def poll(self, seconds: float) -> Message | None:
        """The next record, or None where there is none in this time. Raises WinnowError: UNREACHABLE where brokers have been away
        for ten minutes, CONFIGURATION where they refuse, GUARANTEE_VIOLATED where an offset is gone."""
        message = self._consumer.poll(seconds)
        if self._failure is not None:
            raise self._failure
        if message is None:
            if not all(self.ended.values()) and time.monotonic() - self._answered > UNREACHABLE_SECONDS:
                hint = 'WINNOW_BROKERS names them.'
                raise WinnowError('UNREACHABLE', f'The brokers have not answered for {UNREACHABLE_SECONDS} s', hint, True)
            return None
        self._answered = time.monotonic()
        topic, error = str(message.topic()), message.error()
        partition = (topic, message.partition() or 0)
        if error is None:
            self.ended[partition], self.next[partition] = False, (message.offset() or 0) + 1
            return message
        if error.code() == KafkaError._PARTITION_EOF:
            self.ended[partition], self.next[partition] = True, message.offset() or 0
        elif error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC):
            raise WinnowError(
                'CONFIGURATION', f'there is no topic {topic}', 'Start its stations first: winnow up --run NAME --no-trainer.'
            )
        elif error.code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
            raise WinnowError('GUARANTEE_VIOLATED', f'records of {topic} are gone: {error.str()}', 'Was the topic deleted?')
        else:
            self._on_error(error)
        return None

    def _on_error(self, error: KafkaError) -> None:
        if error.code() in REFUSALS or error.fatal():
            hint = 'winnow acls prints the permissions of a trainer.'
            self._failure = WinnowError('CONFIGURATION', f'The brokers refuse this reader: {error.str()}', hint)
        else:
            log.warning('%s', error.str())

    def close(self) -> None:
        try:
            self._consumer.close()
        except (KafkaException, RuntimeError) as error:
            log.debug('closing: %s', error)


class TopicReader(PartitionReader):
    """Of topics with one partition, by their names."""

    def __init__(self, kafka: Mapping[str, Any], starts: Mapping[str, int], group: str, brief: bool = False) -> None:
        """As of PartitionReader."""
        super().__init__(kafka, _first_partitions(starts), group, brief)

    def assign(self, starts: Mapping[str, int]) -> None:
        """Reads these topics from these offsets, and nothing else any more."""
        self.assign_partitions(_first_partitions(starts))

    @property
    def positions(self) -> dict[str, int]:
        """From which offset on each topic was not read."""
        return {topic: offset for (topic, _), offset in self.next.items()}

    @property
    def at_end(self) -> dict[str, bool]:
        """Of each topic whether all was read that there was."""
        return {topic: ended for (topic, _), ended in self.ended.items()}


def _first_partitions(starts: Mapping[str, int]) -> dict[Partition, int]:
    return {(topic, 0): offset for topic, offset in starts.items()}
