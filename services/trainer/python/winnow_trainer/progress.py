"""Reports where training is, as services/trainer/trainer.ts does, and fences off whoever reported for the run before."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

from winnow_wire.connection import Connection
from winnow_wire.errors import WinnowError
from winnow_wire.records import Registry, Writer

from .run_log import topic_of

log = logging.getLogger('winnow.trainer')

OPERATION_SECONDS = 30
TRANSACTION_MS_MAX = 60_000
FENCES = {KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH}

Report = dict[str, Any]


def transactional_id_of(run: str) -> str:
    """One trainer of a run reports; brokers fence the one before. The TypeScript trainer has the same."""
    return f'winnow.{run}.trainer'


class _Aborted(Exception):
    """The transaction has to be aborted and made again."""


class Reporter:
    """Sends in a thread of its own: a report never holds up a step. Of those that wait only the newest is sent."""

    def __init__(self, connection: Connection, registry: Registry, run: str) -> None:
        self._run, self._topic = run, topic_of(run, 'progress')
        self._records = Writer(registry, 'Progress')
        self._producer = Producer(
            dict(connection.kafka)
            | {
                'transactional.id': transactional_id_of(run),
                'transaction.timeout.ms': TRANSACTION_MS_MAX,
                'enable.idempotence': True,
                'logger': log,
            }
        )
        self._done = threading.Condition()
        self._newest: Report | None = None
        self._sending = self._closed = False
        self._failure: WinnowError | None = None
        self._retried(lambda: self._producer.init_transactions(OPERATION_SECONDS))
        self._thread = threading.Thread(target=self._serve, name='winnow-reporter', daemon=True)
        self._thread.start()

    def report(self, value: Report) -> None:
        """Raises WinnowError if one before could not be sent; FENCED where another trainer reports for the run by now."""
        with self._done:
            if self._failure is not None:
                raise self._failure
            self._newest = value
            self._done.notify_all()

    def flush(self) -> None:
        """Returns when the brokers have what was reported."""
        with self._done:
            self._done.wait_for(lambda: self._failure is not None or (self._newest is None and not self._sending))
            if self._failure is not None:
                raise self._failure

    def _serve(self) -> None:
        while True:
            with self._done:
                self._done.wait_for(lambda: self._newest is not None or self._closed)
                if self._newest is None:
                    return
                value, self._newest, self._sending = self._newest, None, True
            failure = None
            try:
                self._send(value)
            except WinnowError as error:
                failure = error
            with self._done:
                self._sending, self._failure = False, failure
                self._done.notify_all()
                if failure is not None:
                    return

    def _send(self, value: Report) -> None:
        """Until the brokers have it: training goes on meanwhile."""
        while True:
            self._retried(self._producer.begin_transaction)
            self._producer.produce(self._topic, self._records.encode(value), self._run, partition=0)
            try:
                return self._retried(lambda: self._producer.commit_transaction(OPERATION_SECONDS))
            except _Aborted:
                self._retried(lambda: self._producer.abort_transaction(OPERATION_SECONDS))

    def _retried(self, operation: Callable[[], object]) -> None:
        while True:
            try:
                operation()
                return
            except KafkaException as failure:
                error = failure.args[0]
                if error.code() in FENCES:
                    message = f'another trainer reports for run {self._run} by now: {error.str()}'
                    raise WinnowError('FENCED', message, 'End the older one; each run has one trainer.') from failure
                if error.txn_requires_abort():
                    raise _Aborted from failure
                if error.fatal() or not error.retriable():
                    hint = 'winnow acls prints the permissions of a trainer.'
                    raise WinnowError('CONFIGURATION', f'a report cannot be written: {error.str()}', hint) from failure
                log.warning('a report waits: %s', error.str())
                time.sleep(0.5)

    def close(self) -> None:
        """Sends what waits."""
        with self._done:
            self._closed = True
            self._done.notify_all()
        # Brokers that are away longer have only the last checkpoint's report missing, which the next start repeats.
        self._thread.join(OPERATION_SECONDS)
