"""Answers a run's reward requests: consumes, computes, and in one transaction writes rewards, dead letters and offsets (KIP-447).

Readers of committed records therefore see one answer to each request, whatever is killed and when: rewards of a batch that did
not commit are never visible, and the batch is read again.
"""

import logging
import time
import uuid

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from winnow_wire.errors import WinnowError
from winnow_wire.records import DecodeError, Reader, Writer, document_id
from winnow_wire.texts import readable_each

from .run import DEAD_LETTERS

log = logging.getLogger('winnow.influence')

REQUESTS_PER_BATCH = 64
POLL_SECONDS = 0.5
SESSION_MS = 10_000
# Enough for a batch of large documents on a slow machine; whether the worker is alive is the session timeout's business.
BATCH_MS_MAX = 1_800_000
# The longest that a killed worker's open transaction can hold up readers.
TRANSACTION_MS_MAX = 60_000
OPERATION_SECONDS = 30
RETRY_WAITS_SECONDS = [0.1, 0.2, 0.4, 0.8, 1.6, 3.2] + [5] * 23
VALUE_BYTES_KEPT = 900_000
KEY_BYTES_KEPT = 16 * 1024
MESSAGE_CHARACTERS_KEPT = 2000


def trace_of(message):
    """The W3C trace context of a record; records that result from it carry it on."""
    return [(name, value) for name, value in message.headers() or [] if name in ('traceparent', 'tracestate')]


class Stopped(Exception):
    """It was told to end; what it is at is read again by another one."""


class Worker:
    def __init__(self, run, scorer, settings, registry, instance=None, group=None, sealed=None):
        """`settings` are librdkafka's, for both clients. `sealed`: a SealedTexts, where texts are encrypted."""
        self._run, self._scorer, self._sealed = run, scorer, sealed
        self._requests = Reader(registry, 'RewardRequest')
        self._rewards, self._letters = Writer(registry, 'Reward'), Writer(registry, 'DeadLetter')
        self._failure = None
        self._stopped = lambda: False
        self._at_end = set()
        self.group = group or run.group
        self._consumer = Consumer(settings | {
            'group.id': self.group, 'client.id': 'winnow-influence-torch',
            'enable.auto.commit': False, 'auto.offset.reset': 'earliest', 'isolation.level': 'read_committed',
            'enable.partition.eof': True, 'partition.assignment.strategy': 'roundrobin', 'session.timeout.ms': SESSION_MS,
            'max.poll.interval.ms': BATCH_MS_MAX, 'allow.auto.create.topics': False, 'error_cb': self._on_error, 'logger': log,
        })  # fmt: skip
        self._producer = Producer(settings | {
            'client.id': 'winnow-influence-torch', 'enable.idempotence': True,
            'transactional.id': f'{self.group}.torch.{instance or uuid.uuid4()}', 'transaction.timeout.ms': TRANSACTION_MS_MAX,
            # The partitioner of kafkajs and Java: a document's rewards go to the same partition as from other workers.
            'partitioner': 'murmur2_random', 'error_cb': self._on_error, 'logger': log,
        })  # fmt: skip
        self.answered = self.refused = 0

    def serve(self, stopped, until_idle=False):
        """Serves until `stopped()`; with until_idle, until every request now in the topic is answered."""
        self._stopped = stopped
        try:
            self._connected()
            self._consumer.subscribe([self._run.requests])
            while not stopped():
                messages = self._consumer.consume(REQUESTS_PER_BATCH, POLL_SECONDS)
                if self._failure is not None:
                    raise self._failure
                batch = [message for message in messages if not self._is_error(message)]
                if batch:
                    self._answer(batch)
                elif until_idle and self._idle():
                    return
        except Stopped:
            log.info('it ends while it waits; its batch is read again')
        finally:
            # Leaves the group, so that other members take over the partitions at once.
            self._consumer.close()

    def _connected(self):
        try:
            topics = self._consumer.list_topics(timeout=10).topics
            self._producer.init_transactions(OPERATION_SECONDS)
        except KafkaException as error:
            raise WinnowError(
                'UNREACHABLE', f'The brokers do not answer: {error.args[0].str()}', 'WINNOW_BROKERS or --brokers names them.'
            ) from error
        if self._run.requests not in topics:
            raise WinnowError(
                'CONFIGURATION', f'there is no topic {self._run.requests}', 'Start the run first: winnow run stations.'
            )

    def _answer(self, messages):
        for wait in [*RETRY_WAITS_SECONDS, None]:
            try:
                rewards, letters = self._compute(messages)
                break
            except WinnowError as error:
                if not error.retriable or wait is None:
                    raise
                log.warning('a batch failed, trying again in %.1f s: %s', wait, error)
                time.sleep(wait)
        self._commit(messages, rewards, letters)

    def _compute(self, messages):
        requests, letters = [], []
        for message in messages:
            try:
                request = self._requests.value(message.value())
                if request['run'] != self._run.name:
                    raise DecodeError('wrong-record', f'It is of run {request["run"]}, not of {self._run.name}.')
                requests.append((request, trace_of(message), message))
            except DecodeError as error:
                letters.append(self._letter(message, error))
        rewards = []
        for path, digest in dict.fromkeys((r['checkpointPath'], r['checkpointDigest']) for r, _, _ in requests):
            of_checkpoint = [one for one in requests if (one[0]['checkpointPath'], one[0]['checkpointDigest']) == (path, digest)]
            # A document that several actors request is computed once.
            read = readable_each({r['docId'] % 2**64: r['text'] for r, _, _ in of_checkpoint}, self._sealed, self._going_on)
            texts = {doc: text for doc, text in read.items() if isinstance(text, str)}
            scores = dict(zip(texts, self._scorer.score(path, digest, list(texts.values())), strict=True)) if texts else {}
            for request, trace, message in of_checkpoint:
                doc = request['docId'] % 2**64
                if doc in scores:
                    rewards.append((self._reward(request, scores[doc]), trace))
                else:
                    # As it was read: encrypted.
                    letters.append(self._letter(message, DecodeError('unreadable-text', str(read[doc]))))
        return rewards, letters

    def _going_on(self):
        """Called while ClickHouse is waited for."""
        if self._stopped():
            raise Stopped

    def _reward(self, request, score):
        reward, of_tasks = score
        return {key: request[key] for key in ('run', 'round', 'actor', 'docId', 'checkpointDigest')} | dict(
            reward=reward,
            # Dropped by the encoder if the newest published schema has no such field.
            taskRewards=of_tasks,
            graphDigest=self._scorer.graph_digest,
            estimator=self._scorer.estimator,
            projectionSeed=self._run.projection_seed,
        )

    def _letter(self, message, error):
        place = f'{message.topic()}[{message.partition()}]@{message.offset()}'
        key, value = message.key(), message.value()
        text = str(error)[:MESSAGE_CHARACTERS_KEPT]
        if value is not None and len(value) > VALUE_BYTES_KEPT:
            text += f' (The first {VALUE_BYTES_KEPT} of {len(value)} bytes are kept here.)'
        return dict(
            station='influence',
            reason=error.reason,
            message=f'{place}: {text}',
            origin=place,
            topic=message.topic(),
            partition=message.partition(),
            offset=message.offset(),
            file=None,
            line=None,
            key=key and key[:KEY_BYTES_KEPT],
            value=value and value[:VALUE_BYTES_KEPT],
        )

    def _commit(self, messages, rewards, letters):
        """Commits the whole batch or nothing of it; in the latter case it is read again from the group's offsets."""
        offsets = {}
        for message in messages:
            at = (message.topic(), message.partition())
            offsets[at] = max(offsets.get(at, 0), message.offset() + 1)
        positions = [TopicPartition(topic, partition, offset) for (topic, partition), offset in offsets.items()]
        producer = self._producer
        try:
            producer.begin_transaction()
            for reward, trace in rewards:
                key = str(document_id(reward['docId']))
                self._produce(self._run.rewards, key, self._rewards.encode(reward), trace)
            for letter in letters:
                self._produce(DEAD_LETTERS, letter['origin'], self._letters.encode(letter))
            producer.send_offsets_to_transaction(positions, self._consumer.consumer_group_metadata(), OPERATION_SECONDS)
            self._retried(producer.commit_transaction)
        except KafkaException as failure:
            error = failure.args[0]
            if error.fatal() or not error.txn_requires_abort():
                raise WinnowError(
                    'UNREACHABLE', f'A batch could not be committed: {error.str()}', 'Start the worker again.'
                ) from failure
            log.warning('a transaction was aborted; its batch will be read again: %s', error.str())
            self._retried(producer.abort_transaction)
            self._rewind()
            return
        self.answered += len(rewards)
        self.refused += len(letters)
        log.info('answered %d, refused %d', self.answered, self.refused)

    def _produce(self, topic, key, value, headers=()):
        while True:
            try:
                self._producer.produce(topic, key=key, value=value, headers=list(headers))
                return
            except BufferError:
                # The local queue is full: wait until some of it has been delivered.
                self._producer.poll(1)

    def _retried(self, operation):
        while True:
            try:
                return operation(OPERATION_SECONDS)
            except KafkaException as failure:
                if not failure.args[0].retriable():
                    raise
                time.sleep(0.1)

    def _rewind(self):
        """Seeks the partitions still assigned to their committed offsets."""
        assigned = self._consumer.assignment()
        self._at_end.clear()
        for position in self._consumer.committed(assigned, OPERATION_SECONDS) if assigned else []:
            self._consumer.seek(TopicPartition(position.topic, position.partition, max(position.offset, 0)))

    def _idle(self):
        """Whether all partitions were read to their ends. (Offsets cannot tell: transaction markers follow the last request.)"""
        assigned = {(partition.topic, partition.partition) for partition in self._consumer.assignment()}
        return bool(assigned) and assigned <= self._at_end

    def _is_error(self, message):
        error, partition = message.error(), (message.topic(), message.partition())
        if error is None:
            self._at_end.discard(partition)
            return False
        if error.code() == KafkaError._PARTITION_EOF:
            self._at_end.add(partition)
        else:
            self._on_error(error)
        return True

    def _on_error(self, error):
        if error.code() == KafkaError.INCONSISTENT_GROUP_PROTOCOL:
            self._failure = WinnowError(
                'CONFIGURATION',
                f'workers of another kind are in the group {self.group}',
                'End the ONNX workers of the run first; the group hands the offsets over. Or compare both kinds with --group.',
            )
        elif error.fatal() or error.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            self._failure = WinnowError('UNREACHABLE', f'The brokers refuse this worker: {error.str()}', 'Start it again.')
        else:
            log.warning('%s', error.str())
