"""The topic of documents to a token store: from where the store stands, as far as the topic goes, and on as it grows."""

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient

from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Registry
from winnow_wire.texts import SealedTexts, readable
from winnow_wire.topic_reader import BEGINNING, Partition, PartitionReader

from ..tokens import Tokenizer
from .erasures import Erasures
from .filler import Filler
from .layout import Committed
from .megatron import dtype_for

log = logging.getLogger('winnow.trainer')

DOCUMENTS = 'winnow.documents'
GROUP = 'winnow.tokens'

# So much is tokenized at a time, and committed: what comes in until then is lost with the process, and read again.
BATCH_DOCUMENTS = 4096
BATCH_CHARACTERS = 16 * 2**20
COMMIT_SECONDS = 5.0
# Partitions may be added to the topic, and documents erased.
LOOK_SECONDS = 60.0
# After so long ClickHouse is asked again where it did not answer.
AGAIN_SECONDS = 5.0


def topic_as_it_is(kafka: Mapping[str, Any], topic: str) -> tuple[str, list[int]]:
    """Its id, which another topic of that name would not have, and its partitions."""
    # It lives as long as the question.
    admin = AdminClient(dict(kafka))
    try:
        answer = admin.describe_topics(TopicCollection([topic]), request_timeout=30)[topic].result()
    except KafkaException as error:
        hint = 'WINNOW_BROKERS names the brokers; winnow up or winnow dev creates the topic.'
        raise WinnowError('UNREACHABLE', f'{topic} cannot be looked at: {error}', hint, retriable=True) from error
    return str(answer.topic_id), sorted(partition.id for partition in answer.partitions)


class Away(Exception):
    """ClickHouse does not answer, and nobody waits for it."""


class Follower:
    """Fills the store in `folder` with what `tokenizer` makes of the documents."""

    def __init__(
        self, kafka: Mapping[str, Any], registry: Registry, folder: Path, tokenizer: Tokenizer, sealed: SealedTexts | None = None
    ) -> None:
        """`kafka`: settings of librdkafka. `sealed`: reads texts that are encrypted; an erased one is a document without tokens, and becomes
        one in the store. Raises WinnowError UNREACHABLE, and CONFIGURATION where the store is of another corpus or tokenizer, or the topic has
        lost records that are not in it."""
        self._kafka, self._tokenizer, self._sealed = kafka, tokenizer, sealed
        topic_id, partitions = topic_as_it_is(kafka, DOCUMENTS)
        dtype = dtype_for(max(tokenizer.largest, tokenizer.end) + 1).str
        self.filler = Filler(folder, Committed(tokenizer.digest, tokenizer.end, dtype, topic_id, DOCUMENTS))
        self._erasures = None if sealed is None else Erasures(sealed, self.filler)
        self._records = Reader(registry, 'Document')
        self._texts: dict[int, str] = {}
        self._characters = 0
        self._stopped: Callable[[], bool] = lambda: False
        self._once = self._away = False
        self._offsets: dict[int, int] = dict(self.filler.offsets)
        self._reader = PartitionReader(kafka, {}, GROUP)
        try:
            self._assign(partitions)
        except BaseException:
            self.close()
            raise

    def _assign(self, partitions: list[int]) -> None:
        for partition in partitions:
            first, next = self._reader.first_offset((DOCUMENTS, partition)), self._offsets.get(partition, 0)
            if first > next:
                hint = 'The store needs them all: train without store=, which reads texts from ClickHouse.'
                message = f'{DOCUMENTS}[{partition}] no longer has its records {next} to {first - 1}, which are not in the store'
                raise WinnowError('CONFIGURATION', message, hint)
        starts: dict[Partition, int] = {(DOCUMENTS, one): self._offsets.get(one, BEGINNING) for one in partitions}
        self._reader.assign_partitions(starts)

    def run(self, stopped: Callable[[], bool], once: bool) -> bool:
        """Until `stopped`, or, with `once`, until all is in that the topic has, and all is overwritten that is erased: whether it came to that.
        Raises WinnowError: with `once` UNREACHABLE where ClickHouse is away for two minutes; else it is asked again until it is back."""
        self._stopped, self._once = stopped, once
        committed, look_at = time.monotonic(), 0.0
        while not stopped():
            if time.monotonic() >= look_at:
                look_at = self._looked()
            message = self._reader.poll(0.2)
            if message is not None:
                self._take(message.partition() or 0, message.offset() or 0, message.value())
            now, ended = time.monotonic(), all(self._reader.ended.values())
            full = len(self._texts) >= BATCH_DOCUMENTS or self._characters >= BATCH_CHARACTERS
            if full or now - committed > COMMIT_SECONDS or (once and ended):
                self._commit_when_readable()
                committed = time.monotonic()
            if once and ended and not stopped():
                return self._overwritten()
        self._commit_when_readable()
        return False

    def _waiting(self) -> None:
        """Called while ClickHouse does not answer."""
        if self._stopped() or not self._once:
            raise Away

    def _looked(self) -> float:
        """When to look again at what may have changed."""
        began = time.monotonic()
        self._look()
        if self._overwritten():
            return time.monotonic() + LOOK_SECONDS
        # A server that hangs must not take all the time.
        return time.monotonic() + max(AGAIN_SECONDS, time.monotonic() - began)

    def _overwritten(self) -> bool:
        """Overwrites what is erased; False where ClickHouse does not say what is."""
        if self._erasures is None:
            return True
        try:
            self._erasures.overwrite(self._waiting)
        except Away:
            self._away = True
            log.warning('ClickHouse does not answer: what is erased stays in the store until it does; asked again in a moment')
            return False
        if self._away:
            log.info('ClickHouse answers again: what is erased is overwritten')
        self._away = False
        return True

    def _commit_when_readable(self) -> None:
        """Keys of encrypted texts are in ClickHouse: without it nothing more comes in, and nothing is lost."""
        while True:
            try:
                return self._commit()
            except Away:
                if self._stopped():
                    log.warning(
                        '%d documents are not in: ClickHouse does not answer; the next start reads them again', len(self._texts)
                    )
                    return
                log.warning('ClickHouse does not answer, and has the keys of texts: %d documents wait for it', len(self._texts))
            for _ in range(round(AGAIN_SECONDS * 10)):
                if not self._stopped():
                    time.sleep(0.1)

    def _take(self, partition: int, offset: int, value: bytes | None) -> None:
        self._offsets[partition] = offset + 1
        try:
            document = self._records.value(value)
        except DecodeError as error:
            # The label sink keeps it as a dead letter; no run selects it.
            log.warning('%s[%d]@%d is left out: %s', DOCUMENTS, partition, offset, error)
            return
        self._texts[document['docId'] % 2**64] = document['text']
        self._characters += len(document['text'])

    def _commit(self) -> None:
        if self._offsets == self.filler.offsets:
            return
        texts = readable(self._texts, self._sealed, self._waiting)
        tokens = self._tokenizer.encode(list(texts.values()))
        self.filler.add(dict(zip(texts, tokens, strict=True)), self._offsets)
        self._texts, self._characters = {}, 0
        log.info('%d documents are in, up to %s', self.filler.committed.documents, self._offsets)

    def _look(self) -> None:
        try:
            topic_id, partitions = topic_as_it_is(self._kafka, DOCUMENTS)
        except WinnowError as error:
            # The reader says so where they stay away.
            log.warning('%s', error)
            return
        self.filler.committed.check('topicId', topic_id)
        if len(partitions) > len(self._reader.ended):
            self._assign(partitions)

    def close(self) -> None:
        self._reader.close()
        self.filler.close()
