"""Requests for rewards whose texts are encrypted: the worker scores what was ingested, and nothing that it cannot read."""

import json
from types import SimpleNamespace

import pytest

pytest.importorskip('torch', reason='WINNOW_TEST_TORCH=yes npm test installs it')

from memory_registry import MemoryRegistry
from sealed_world import GOLDEN, PLAIN, SEALED, ClickHouse
from winnow_torch.worker import Stopped, Worker
from winnow_wire.errors import WinnowError
from winnow_wire.records import Writer, signed
from winnow_wire.texts import SealedTexts

NOWHERE = {'bootstrap.servers': '127.0.0.1:9', 'log_level': 0}
RUN = SimpleNamespace(name='r', group='g', projection_seed='1', requests='requests', rewards='rewards')


class Scorer:
    graph_digest, estimator = 'd', 'e'

    def __init__(self):
        self.asked = []

    def score(self, path, digest, texts):
        self.asked.append(texts)
        return [(float(len(text)), None) for text in texts]


class Record:
    def __init__(self, offset, value):
        self._offset, self._value = offset, value

    def topic(self):
        return 'requests'

    def partition(self):
        return 0

    def offset(self):
        return self._offset

    def key(self):
        return b'k'

    def value(self):
        return self._value

    def headers(self):
        return None


class World:
    def __init__(self, folder, keys=True):
        self.clickhouse, self.scorer, registry = ClickHouse(), Scorer(), MemoryRegistry()
        path = folder / 'keys.json'
        path.write_text(json.dumps(GOLDEN['masterKeys']))
        self._writer = Writer(registry, 'RewardRequest')
        sealed = SealedTexts(path, self.clickhouse) if keys else None
        self.worker = Worker(RUN, self.scorer, NOWHERE, registry, sealed=sealed)

    def computed(self, *texts, actors=('a', 'b')):
        """Of documents with their texts: rewards by document and actor, and dead letters."""
        common = dict(run='r', round=1, checkpointPath='p', checkpointDigest='d')
        values = [
            self._writer.encode(common | dict(actor=actor, docId=signed(doc), text=text)) for doc, text in texts for actor in actors
        ]
        rewards, letters = self.worker._compute([Record(n, value) for n, value in enumerate(values)])
        return {(reward['docId'] % 2**64, reward['actor']): reward['reward'] for reward, _ in rewards}, letters


def test_texts_are_scored_as_they_were_ingested_and_an_erased_one_as_empty(tmp_path):
    world = World(tmp_path)
    world.clickhouse.erase(5)
    rewards, letters = world.computed((1, 'plain'), *SEALED.items())
    read = {1: 'plain', **PLAIN, 5: ''}
    assert world.scorer.asked == [list(read.values())] and letters == []
    assert rewards == {(doc, actor): float(len(text)) for doc, text in read.items() for actor in ('a', 'b')}


def test_a_text_that_was_changed_is_a_dead_letter_as_it_was_read_and_the_others_are_scored(tmp_path):
    world = World(tmp_path)
    changed = f'{SEALED[5][:-40]}{"A" if SEALED[5][-40] != "A" else "B"}{SEALED[5][-39:]}'
    rewards, letters = world.computed((7, SEALED[7]), (5, changed), (8, SEALED[8]))
    assert sorted({doc for doc, _ in rewards}) == [7, 8]
    assert [(letter['reason'], letter['offset']) for letter in letters] == [('unreadable-text', 2), ('unreadable-text', 3)]
    assert all(changed.encode() in letter['value'] and 'document 5 does not authenticate' in letter['message'] for letter in letters)
    # Alone in its batch, nothing is left to be scored.
    rewards, letters = world.computed((5, changed), actors=('a',))
    assert rewards == {} and len(letters) == 1 and len(world.scorer.asked) == 1


@pytest.mark.parametrize('keys', [True, False])
def test_what_concerns_all_texts_ends_the_worker_with_its_name(tmp_path, keys):
    world = World(tmp_path, keys)
    world.clickhouse.lose(8)
    with pytest.raises(WinnowError) as raised:
        world.computed(*SEALED.items())
    expected = ('GUARANTEE_VIOLATED', 'no key of document 8, and no erasure') if keys else ('CONFIGURATION', 'document 5 is encrypted')
    assert raised.value.code == expected[0] and expected[1] in str(raised.value) and not raised.value.retriable
    assert world.scorer.asked == []


def test_a_worker_that_waits_for_keys_obeys_a_signal(tmp_path, monkeypatch):
    world = World(tmp_path)
    monkeypatch.setattr(world.clickhouse, 'answer', lambda query, waiting: waiting())
    world.worker._stopped = lambda: True
    with pytest.raises(Stopped):
        world.computed((5, SEALED[5]))
