"""A filler that follows the topic of documents while ClickHouse is away: it goes on, loses nothing, and overwrites as soon as that is back."""

import json
import logging
import os
import signal
import time
from types import SimpleNamespace

import numpy as np
import pytest
from memory_registry import MemoryRegistry
from sealed_world import GOLDEN, PLAIN, SEALED, ClickHouse
from winnow_trainer import __main__ as command
from winnow_trainer.token_store import TokenStore, follow
from winnow_wire.errors import WinnowError
from winnow_wire.records import Writer, signed
from winnow_wire.texts import SealedTexts

TOKENIZER = SimpleNamespace(
    digest='t',
    end=0,
    largest=60_000,
    encode=lambda texts: [np.array([ord(one) % 60_000 for one in text], np.int32) for text in texts],
)


class World:
    """A topic of one partition, a ClickHouse, and a filler of `folder`. `step` is called each time that the filler asks for a record."""

    def __init__(self, folder, monkeypatch):
        self.folder, self.clickhouse, self.records, self.registry = folder / 'store', ClickHouse(), [], MemoryRegistry()
        self.path = folder / 'keys.json'
        self.path.write_text(json.dumps(GOLDEN['masterKeys']))
        self.writer = Writer(self.registry, 'Document')
        self.step = lambda: None
        world = self

        class Reader:
            def __init__(self, *_):
                self.ended = {}

            def first_offset(self, _):
                return 0

            def assign_partitions(self, starts):
                self.next = max(0, starts['winnow.documents', 0])

            def poll(self, _):
                world.step()
                self.ended = {('winnow.documents', 0): self.next == len(world.records)}
                if self.next == len(world.records):
                    time.sleep(0.001)
                    return None
                self.next += 1
                at, value = self.next - 1, world.records[self.next - 1]
                return SimpleNamespace(partition=lambda: 0, offset=lambda: at, value=lambda: value)

            def close(self): ...

        monkeypatch.setattr(follow, 'PartitionReader', Reader)
        monkeypatch.setattr(follow, 'topic_as_it_is', lambda *_: ('id', [0]))
        for name, seconds in {'LOOK_SECONDS': 0.02, 'AGAIN_SECONDS': 0.1, 'COMMIT_SECONDS': 0.01}.items():
            monkeypatch.setattr(follow, name, seconds)

    def send(self, **texts):
        for doc, text in texts.items():
            value = dict(docId=signed(int(doc[1:])), text=text, meta='{}', source='s', tokens=1)
            self.records.append(self.writer.encode(value))

    def run(self, step, once=False):
        """Until `step`, called at each poll with how many there were, gives True."""
        polls = iter(range(1_000_000))
        done = []
        self.step = lambda: done.append(True) if step(next(polls)) else None
        sealed = SealedTexts(self.path, self.clickhouse)
        follower = follow.Follower({}, self.registry, self.folder, TOKENIZER, sealed)
        try:
            return follower.run(lambda: bool(done), once)
        finally:
            follower.close()

    def tokens(self, doc):
        (page,) = TokenStore(self.folder).fetched(np.array([doc], np.uint64), lambda: None)
        return ''.join(map(chr, page.tokens[:-1].tolist()))

    def said(self):
        path = self.folder / 'store.json'
        return json.loads(path.read_text()) if path.exists() else {}


@pytest.fixture
def world(tmp_path, monkeypatch):
    return World(tmp_path, monkeypatch)


def documents(said):
    return sum(count for count, _ in said.get('files', []))


def test_it_goes_on_while_clickhouse_is_away_and_overwrites_when_it_is_back(world, caplog):
    caplog.set_level(logging.INFO)
    world.send(d5=SEALED[5], d1='plain')
    world.run(lambda _: documents(world.said()) == 2)
    assert (world.tokens(5), world.tokens(1)) == (PLAIN[5], 'plain')

    # Away from the start on: what is not encrypted comes in, and what was erased stays.
    world.clickhouse.away = True
    world.clickhouse.erase(5)
    world.send(d2='plain too')
    world.run(lambda _: documents(world.said()) == 3)
    assert (world.tokens(5), world.tokens(2)) == (PLAIN[5], 'plain too')
    assert 'what is erased stays in the store until it does' in caplog.text

    # And back while it runs.
    caplog.clear()
    began = time.monotonic()

    def back(polls):
        if polls == 3:
            world.clickhouse.away = False
        return world.said().get('erased') == 1 or time.monotonic() - began > 20

    world.run(back)
    assert world.tokens(5) == '' and 'ClickHouse answers again' in caplog.text


def test_encrypted_texts_wait_for_clickhouse_and_a_signal_does_not(world, caplog):
    world.clickhouse.away = True
    world.send(d5=SEALED[5])
    asked = []
    answer = world.clickhouse.answer

    def answering(query, waiting):
        if 'text_keys' in query:
            asked.append(query)
            if len(asked) == 3:
                world.clickhouse.away = False
        return answer(query, waiting)

    world.clickhouse.answer = answering
    world.run(lambda _: documents(world.said()) == 1)
    assert world.tokens(5) == PLAIN[5] and len(asked) == 3
    assert '1 documents wait for it' in caplog.text

    # Stopped while it is away: nothing is committed, and nothing lost.
    world.clickhouse.away, offsets = True, world.said()['offsets']
    world.clickhouse.answer = answer
    world.send(d7=SEALED[7], d8=SEALED[8])
    began = time.monotonic()
    world.run(lambda polls: polls == 2)
    assert time.monotonic() - began < 10 and world.said()['offsets'] == offsets
    world.clickhouse.away = False
    world.run(lambda _: documents(world.said()) == 3)
    assert (world.tokens(7), world.tokens(8)) == (PLAIN[7], PLAIN[8])


def test_once_it_ends_with_what_clickhouse_said_rather_than_leave_an_erasure(world, monkeypatch):
    def unreachable(query, waiting):
        waiting()
        raise WinnowError('UNREACHABLE', 'ClickHouse does not answer', retriable=True)

    monkeypatch.setattr(world.clickhouse, 'answer', unreachable)
    world.send(d1='plain')
    with pytest.raises(WinnowError, match='does not answer'):
        world.run(lambda _: False, once=True)


@pytest.mark.parametrize(('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_once_it_says_by_its_exit_code_that_a_signal_has_ended_it_before_all_was_in(world, monkeypatch, number, code):
    monkeypatch.setattr(command, 'Registry', lambda *_: world.registry)
    monkeypatch.setattr(command, 'Tokenizer', lambda *_: TOKENIZER)
    for name in ('WINNOW_BROKERS', 'WINNOW_REGISTRY_URL'):
        monkeypatch.setenv(name, 'http://127.0.0.1:1')
    monkeypatch.delenv('WINNOW_CORPUS_ENCRYPTION', raising=False)
    world.send(d1='plain', d2='plain too')
    kept = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    try:
        arguments = ['tokens', str(world.folder), '--tokenizer', 'any', '--once']
        world.step = lambda: os.kill(os.getpid(), number)
        with pytest.raises(SystemExit) as ended:
            command.main(arguments)
        assert ended.value.code == code and documents(world.said()) < 2
        world.step = lambda: None
        command.main(arguments)
        assert documents(world.said()) == 2
    finally:
        for one, handler in zip((signal.SIGINT, signal.SIGTERM), kept, strict=True):
            signal.signal(one, handler)


def test_brokers_that_do_not_answer_a_look_do_not_end_it(world, monkeypatch, caplog):
    answers = iter([('id', [0])])

    def topic(*_):
        try:
            return next(answers)
        except StopIteration:
            raise WinnowError('UNREACHABLE', 'winnow.documents cannot be looked at', retriable=True) from None

    monkeypatch.setattr(follow, 'topic_as_it_is', topic)
    world.send(d1='plain')
    world.run(lambda _: documents(world.said()) == 1)
    assert world.tokens(1) == 'plain' and 'cannot be looked at' in caplog.text
