"""What a filler asks ClickHouse about erasures: what is new, and nothing is missed, whatever is killed or away."""

import random

import pytest
from store_world import WANTED, Killed, doc, dying_writes, filled, read, tokens_of
from winnow_trainer.token_store import TokenStore, erasures
from winnow_trainer.token_store.erasures import Erasures
from winnow_trainer.token_store.filler import Filler

IDS = [id for id in (doc(source, row) for source in (1, 2) for row in range(40)) if len(tokens_of(id)) > 3]


class Sealed:
    """What ClickHouse knows: records of erasures by partition, in order, what became of texts, and what it was asked."""

    def __init__(self, partitions=1):
        self.records = [[] for _ in range(partitions)]
        # Of each partition so many records count as inserted; a replica may not have some of them yet.
        self.missing, self.destroyed, self.plain = set(), set(), set()
        self.questions, self.answered, self.away = [], 0, lambda: False

    def record(self, *docs):
        for one in docs:
            self.records[one % len(self.records)].append(one)

    def exclusions_sunk(self, waiting):
        return {partition: len(records) for partition, records in enumerate(self.records) if records}

    def asked_for(self, since, waiting):
        self.questions.append('since' if since else 'all')
        if self.away():
            waiting()
        new = [one for partition, records in enumerate(self.records) for one in records[since.get(partition, 0) :]]
        self.answered += len(new)
        return [one for one in new if one not in self.missing]

    def fates(self, docs, waiting):
        assert 0 < len(docs) <= erasures.ASKED_AT_ONCE
        self.questions.append(docs)
        if self.away():
            waiting()
        return [one for one in docs if one in self.destroyed], [one for one in docs if one in self.plain]

    def since(self):
        questions, self.questions = self.questions, []
        return questions


def test_what_nobody_can_read_any_more_is_overwritten_and_only_what_may_change_is_asked_about_again(tmp_path, monkeypatch):
    gone, plain, kept, later, never = IDS[1], IDS[2], IDS[3], IDS[30], doc(9, 9)
    filled(tmp_path, IDS[:5])
    sealed, filler = Sealed(), Filler(tmp_path, WANTED)
    looking = Erasures(sealed, filler)
    # Nothing was ever recorded, so nothing is asked.
    assert looking.overwrite() == 0 and sealed.since() == []

    sealed.record(gone, plain, kept, later, never)
    sealed.plain, sealed.destroyed = {plain}, {gone}
    assert looking.overwrite() == 1 and sealed.since() == ['all', [gone, plain, kept]]
    store = TokenStore(tmp_path)
    assert read(store, IDS[:5]) == [[] if id == gone else tokens_of(id).tolist() for id in IDS[:5]]
    assert looking.overwrite() == 0 and sealed.since() == [[kept]]

    # The key goes without another record; and one comes in that was read before its key went.
    sealed.destroyed |= {kept, later}
    filler.add({later: tokens_of(later)}, {0: 2})
    monkeypatch.setattr(erasures, 'ASKED_AT_ONCE', 1)
    assert looking.overwrite() == 2 and sealed.since() == [[kept], [later]]
    assert looking.overwrite() == 0 and sealed.since() == []
    monkeypatch.undo()

    # What is new is all that is answered, also where it had been asked for before.
    before = sealed.answered
    sealed.record(IDS[4], gone)
    sealed.destroyed.add(IDS[4])
    assert looking.overwrite() == 1 and sealed.since() == ['since', [IDS[4]]] and sealed.answered == before + 2
    # Another life asks for all.
    assert Erasures(sealed, filler).overwrite() == 0 and sealed.since() == ['all', [plain]]
    assert filler.committed.erased == 4
    filler.close()


def test_rows_that_a_replica_gets_later_than_how_far_the_sink_is_are_found_by_a_look_at_all(tmp_path):
    filled(tmp_path, IDS[:3])
    sealed, filler = Sealed(), Filler(tmp_path, WANTED)
    looking = Erasures(sealed, filler)
    sealed.record(IDS[0])
    sealed.destroyed, sealed.missing = {IDS[0], IDS[1]}, {IDS[1]}
    assert looking.overwrite() == 1
    sealed.record(IDS[1])
    assert looking.overwrite() == 0
    sealed.missing = set()
    assert [looking.overwrite() for _ in range(erasures.LOOKS_UNTIL_ALL)].count(1) == 1
    assert sealed.since().count('all') == 2
    filler.close()


@pytest.mark.parametrize('seed', range(3))
def test_nothing_is_missed_over_kills_and_outages_between_any_two_steps(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    monkeypatch.setattr(erasures, 'ASKED_AT_ONCE', 2)
    # Kills are what is tried here, and not the look at all that mends other things.
    monkeypatch.setattr(erasures, 'LOOKS_UNTIL_ALL', 10**9)
    topic, sealed, recorded = rng.sample(IDS, len(IDS)), Sealed(3), set()
    sealed.plain = set(topic[::7])
    writes = dying_writes(monkeypatch)

    class Away(Exception):
        pass

    def unreachable():
        raise Away

    sealed.away = lambda: rng.random() < 0.2
    filler = looking = None
    died = away = 0
    for _ in range(400):
        if rng.random() < 0.3:
            some = rng.sample(topic, 2)
            sealed.record(*some)
            recorded |= set(some)
        if rng.random() < 0.5 and recorded:
            # The key goes later than the record, if there was one.
            sealed.destroyed |= set(rng.sample(sorted(recorded), 1)) - sealed.plain
        writes['left'] = rng.randrange(12) if rng.random() < 0.5 else None
        try:
            if filler is None:
                filler = Filler(tmp_path, WANTED, file_documents=7)
                looking = Erasures(sealed, filler)
            first = filler.offsets.get(0, 0)
            new = topic[first : first + rng.randrange(3)]
            if new:
                filler.add({id: tokens_of(id)[: 0 if id in sealed.destroyed else None] for id in new}, {0: first + len(new)})
            looking.overwrite(unreachable)
        except Away:
            away += 1
        except Killed:
            died += 1
            writes['left'] = None
            if filler is not None:
                filler.close()
            filler = None
        writes['left'] = None
    assert died > 20 and away > 20 and len(recorded) > 40
    sealed.away = lambda: False
    if filler is None:
        filler = Filler(tmp_path, WANTED, file_documents=7)
        looking = Erasures(sealed, filler)
    # The last life's next look: by what it has seen, not by all.
    looking.overwrite()
    assert filler.offsets[0] == len(topic)
    gone = sealed.destroyed & recorded
    assert read(TokenStore(tmp_path), topic) == [[] if id in gone else tokens_of(id).tolist() for id in topic]
    assert len(gone) > 20
    filler.close()
