"""Which round a step is trained on, in every mode: the numbers of test/services/trainer/switching.test.ts, and what ranks make of them."""

import pytest
from winnow_trainer.adoptions import Adoptions
from winnow_trainer.cursor import Cursor
from winnow_trainer.packing import Place
from winnow_trainer.switching import ByLag, Ready, switching_of

STEPS, BATCH = 40, 3


def config(mode):
    return {'updateSteps': 5, 'trainer': {} if mode is None else {'switch': mode}}


@pytest.mark.parametrize(
    ('mode', 'rounds'),
    [
        (None, [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]),
        ('wait', [0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2]),
        ({'lag': 1}, [0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1]),
        ({'lag': 4}, [0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]),
    ],
)
def test_configuration_alone_says_which_round_a_step_is_of(mode, rounds):
    switching = switching_of(config(mode), {})
    assert [switching.round(step, 9) for step in range(len(rounds))] == rounds
    assert [switching.before(step + 1) for step in range(len(rounds))] == rounds
    assert [switching.begun(round) for round in set(rounds)] == [rounds.index(round) for round in set(rounds)]
    assert switching.undecided(5, STEPS) == []


def test_only_ready_follows_decisions_every_10_steps_unless_the_run_says_otherwise():
    modes = [switching_of(config(mode), {}) for mode in ('wait', {'lag': 1}, 'ready', {'ready': 3})]
    assert modes == [ByLag(5), ByLag(5, 1), Ready(10, {}), Ready(3, {})]


class Log:
    """What is selected when a step begins, and the decisions, which come `late` steps after they were made."""

    def __init__(self, newest, decided=None, late=0):
        self._newest, self.decided, self._late = newest, dict(decided or {}), late
        self.records, self.begun, self.step, self._sent = [], [], 0, []
        self.ended = False

    @property
    def newest(self):
        return self._newest(self.step)

    def adopt(self, record):
        assert set(record) == {
            'run',
            'round',
            'step',
            'sequenceFirst',
            'previousRound',
            'previousRead',
        }
        assert record['sequenceFirst'] == record['step'] * BATCH
        beginning = record['previousRead'] is not None or record['step'] == 0
        (self.begun if beginning else self.records).append(record)
        if not beginning:
            self._sent.append((self.step, record))
        return len(self.begun) + len(self.records)

    def adopted(self, number):
        assert number == len(self.begun) + len(self.records)
        self.arrive(force=True)

    def arrive(self, force=False):
        for at, record in self._sent:
            if force or at + self._late <= self.step:
                self.decided.setdefault(record['step'], record['round'])


def trained(log, every, begin=0):
    """The rounds of all steps from one on, of a leader."""
    switching = Ready(every, log.decided)
    adoptions = Adoptions(switching, log, STEPS, log)
    cursor = Cursor('r', 't' * 64, 8, BATCH, 0, step=begin, round=switching.before(begin))
    rounds = []
    for step in range(begin, STEPS):
        log.step = step
        adoptions.decide(cursor)
        log.arrive()
        round = switching.round(step, cursor.round)
        # Nobody waits for a decision that is made later.
        assert round is not None
        after = cursor.at_round(round, f'{round}').after(Place(step, 0), step)
        adoptions.begin(cursor, after)
        adoptions.begun(cursor)
        rounds.append(round)
        cursor = after
    return rounds


def test_in_ready_a_round_begins_n_steps_after_the_first_multiple_of_n_at_which_it_is_there_and_the_newest_of_several():
    log = Log(
        lambda step: 3 if step >= 18 else 2 if step >= 17 else 1 if step >= 6 else 0,
        late=3,
    )
    rounds = trained(log, 4)
    assert rounds == 12 * [0] + 12 * [1] + 16 * [3]
    assert [(one['step'], one['round']) for one in log.records] == [(at, rounds[at]) for at in range(4, STEPS, 4)]
    assert log.records[2] == {
        'run': 'r',
        'round': 1,
        'step': 12,
        'sequenceFirst': 36,
        'previousRound': 0,
        'previousRead': None,
    }
    beginnings = [tuple(one[name] for name in ('step', 'round', 'previousRound', 'previousRead')) for one in log.begun]
    assert beginnings == [(0, 0, None, None), (12, 1, 0, 11), (24, 3, 1, 23)]


@pytest.mark.parametrize('every', [1, 4, 7])
def test_in_ready_what_was_decided_is_kept_from_whatever_step_training_goes_on(every):
    whole = Log(lambda step: step // 7)
    rounds = trained(whole, every)
    for begin in range(STEPS):
        again = Log(lambda _: 9, whole.decided)
        assert trained(again, every, begin) == rounds[begin:]
        assert again.records == []
    # What was decided by another process first counts, not what this one had in mind.
    before = Log(lambda _: 9, {every: 0})
    assert trained(before, every)[every] == 0


def test_in_ready_ranks_wait_for_what_is_not_decided_and_a_leader_decides_what_nobody_did():
    follower = Ready(4, {4: 1})
    assert [follower.round(step, 1) for step in range(3, 9)] == [1, 1, 1, 1, 1, None]
    assert [follower.before(step) for step in range(3, 7)] == [0, 0, 1, 1]
    assert (follower.begun(0), follower.begun(1)) == (0, 4)
    assert (
        follower.undecided(8, STEPS) == [8, 12] and follower.undecided(9, STEPS) == [12] and follower.undecided(37, STEPS) == []
    )
    log = Log(lambda _: 5)
    assert trained(log, 4, 8)[:8] == 4 * [0] + 4 * [5]


def test_in_ready_nothing_is_decided_of_a_run_that_has_ended_so_that_all_ranks_stop_before_the_same_step():
    log = Log(lambda _: 1)
    switching = Ready(4, log.decided)
    adoptions = Adoptions(switching, log, STEPS, log)
    cursor = Cursor('r', 't' * 64, 8, BATCH, 0)
    adoptions.decide(cursor)
    log.ended = True
    for step in range(4, 9):
        adoptions.decide(Cursor('r', 't' * 64, 8, BATCH, 0, step=step))
    log.arrive(force=True)
    assert log.decided == {4: 1}
    assert [switching.round(step, 1) for step in range(4, 9)] == [1, 1, 1, 1, None]
