"""The cursor: small, and refused where it would read something else than was recorded, with both values."""

import json

import pytest
from winnow_trainer import Cursor, WinnowError
from winnow_trainer.packing import Place

OWN = Cursor('pretraining-3', 'a' * 64, 4096, 512, 0)
BEFORE = OWN.at_round(0, 'd' * 64).after(Place(17, 3), 18)


def state(**changes):
    return {**BEFORE.__dict__, **changes}


def test_is_less_than_a_kilobyte_of_json_and_comes_back():
    far = OWN.at_round(10**6, 'd' * 64).after(Place(10**12, 10**9), 10**12)
    assert len(json.dumps(far.__dict__)) < 1024
    assert OWN.resumed(json.loads(json.dumps(far.__dict__))) == far


def test_counts_sequences_steps_and_tokens_and_begins_a_round_at_its_first_document():
    assert (BEFORE.step, BEFORE.sequence, BEFORE.tokens) == (1, 512, 512 * 4096)
    assert BEFORE.at_round(0, 'd' * 64) is BEFORE
    begun = BEFORE.at_round(1, 'e' * 64)
    assert (begun.step, begun.round, begun.place, begun.sequence, begun.documentsRead) == (1, 1, (0, 0), 0, 0)
    assert begun.selectionDigest == 'e' * 64


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('run', 'another'),
        ('sequenceLength', 2048),
        ('batchSequences', 256),
        ('end', 2),
        ('tokenizer', 'b' * 64),
        ('packing', 'pad-1'),
    ],
)
def test_names_both_values_of_what_differs(name, value):
    with pytest.raises(WinnowError) as refused:
        OWN.resumed(state(**{name: value}))
    assert refused.value.code == 'POSITION_REFUSED'
    assert f'{name} is {value!r} in the cursor and {getattr(OWN, name)!r} here' in str(refused.value)


def test_refuses_a_round_that_selected_something_else():
    with pytest.raises(WinnowError, match="'dddd.*' in the cursor and 'eeee.*' here") as refused:
        BEFORE.at_round(0, 'e' * 64)
    assert refused.value.code == 'POSITION_REFUSED'


@pytest.mark.parametrize('value', [-1, 0.5, '3', None, True])
@pytest.mark.parametrize('name', ['step', 'round', 'sequence', 'document', 'token', 'documentsRead'])
def test_refuses_what_is_no_place(name, value):
    with pytest.raises(WinnowError, match=name) as refused:
        OWN.resumed(state(**{name: value}))
    assert refused.value.code == 'POSITION_REFUSED'


def test_refuses_a_cursor_of_a_newer_package_and_one_that_is_damaged():
    with pytest.raises(WinnowError, match='version 2, this package reads 1') as newer:
        OWN.resumed(state(v=2))
    assert newer.value.code == 'CONFIGURATION'
    damaged = state()
    del damaged['token']
    with pytest.raises(WinnowError, match='token') as refused:
        OWN.resumed(damaged)
    assert refused.value.code == 'BAD_DATA'
