"""Encrypted texts are read as they were ingested, or not at all."""

import json

import pytest
from sealed_world import GOLDEN, PLAIN, SEALED, ClickHouse
from winnow_wire.errors import WinnowError
from winnow_wire.texts import SealedTexts, is_sealed, readable, readable_each


@pytest.fixture
def clickhouse():
    return ClickHouse()


@pytest.fixture
def sealed(tmp_path, clickhouse):
    path = tmp_path / 'keys.json'
    path.write_text(json.dumps(GOLDEN['masterKeys']))
    return SealedTexts(path, clickhouse)


def code_of(raising, work):
    with pytest.raises(WinnowError, match=raising) as raised:
        work()
    return raised.value.code


def test_texts_are_read_as_they_were_ingested_among_others_in_their_order(sealed):
    texts = {1: 'plain', **SEALED, 2: 'plain too'}
    assert list(readable(texts, sealed).items()) == [
        (1, 'plain'),
        *PLAIN.items(),
        (2, 'plain too'),
    ]
    assert all(map(is_sealed, SEALED.values())) and not any(map(is_sealed, PLAIN.values()))


def test_an_erased_text_is_empty_and_the_others_are_read(sealed, clickhouse):
    clickhouse.erase(5)
    assert readable(SEALED, sealed) == {**PLAIN, 5: ''}


def test_a_key_that_is_gone_without_an_erasure_is_a_loss(sealed, clickhouse):
    clickhouse.lose(8)
    assert code_of('no key of document 8, and no erasure', lambda: readable(SEALED, sealed)) == 'GUARANTEE_VIOLATED'


def test_without_keys_an_encrypted_text_is_an_error_and_others_are_read():
    assert readable({1: 'plain'}, None) == {1: 'plain'}
    assert code_of('document 5 is encrypted', lambda: readable({5: SEALED[5]}, None)) == 'CONFIGURATION'


def test_says_which_documents_are_to_be_erased_since_an_offset_and_of_which_the_text_is_gone_or_was_never_encrypted(
    sealed, clickhouse
):
    assert sealed.exclusions_sunk() == {0: 0} and list(sealed.asked_for({})) == []
    clickhouse.erase(5)
    before = sealed.exclusions_sunk()
    clickhouse.asked_for |= dict.fromkeys(['1', '8', '99'])
    assert (before, sealed.exclusions_sunk()) == ({0: 1}, {0: 4})
    assert list(sealed.asked_for({})) == [5, 1, 8, 99] and list(sealed.asked_for(before)) == [1, 8, 99]
    assert sealed.fates([1, 5, 8, 99]) == ([5], [1])
    # A key that an ingest which was cut off has left reads no text.
    clickhouse.keys.append({'docId': '5', 'name': 'another', 'epoch': 1, 'wrapped': ''})
    assert sealed.fates([5, 8]) == ([5], [])
    assert sealed.fates([]) == ([], [])


def test_a_text_in_the_place_of_another_is_refused(sealed, clickhouse):
    assert code_of('that of another', lambda: readable({7: SEALED[5]}, sealed)) == 'BAD_DATA'
    # The key of another document is not taken for its own either.
    five, seven = ([key for key in GOLDEN['keys'] if key['docId'] == doc][0] for doc in ('5', '7'))
    clickhouse.keys = [{**seven, 'wrapped': five['wrapped'], 'epoch': five['epoch']}]
    assert code_of('is that of another text', lambda: readable({7: SEALED[7]}, sealed)) == 'BAD_DATA'


def test_a_text_that_was_changed_is_refused(sealed):
    text = SEALED[5]
    changed = f'{text[:-40]}{"A" if text[-40] != "A" else "B"}{text[-39:]}'
    assert code_of('document 5 does not authenticate', lambda: readable({5: changed}, sealed)) == 'BAD_DATA'


def test_who_can_do_without_a_text_that_was_changed_gets_the_others(sealed, clickhouse):
    clickhouse.erase(5)
    changed = f'{SEALED[8][:-40]}{"A" if SEALED[8][-40] != "A" else "B"}{SEALED[8][-39:]}'
    read = readable_each({1: 'plain', **SEALED, 8: changed, 9: SEALED[5]}, sealed)
    errors = {doc: read.pop(doc) for doc in (8, 9)}
    assert read == {1: 'plain'} | {doc: '' if doc == 5 else text for doc, text in PLAIN.items() if doc != 8}
    assert [error.code for error in errors.values()] == ['BAD_DATA', 'BAD_DATA']
    # What concerns all of them is no matter of one.
    clickhouse.lose(7)
    assert code_of('no key of document 7', lambda: readable_each(SEALED, sealed)) == 'GUARANTEE_VIOLATED'


def test_an_epoch_that_came_later_is_read_from_the_file_and_one_that_is_gone_is_named(tmp_path, clickhouse):
    path = tmp_path / 'keys.json'
    first, _ = GOLDEN['masterKeys']['keys']
    path.write_text(json.dumps({'keys': [first]}))
    sealed = SealedTexts(path, clickhouse)
    assert code_of('no master key of epoch 2', lambda: readable({8: SEALED[8]}, sealed)) == 'CONFIGURATION'
    path.write_text(json.dumps(GOLDEN['masterKeys']))
    assert readable({8: SEALED[8]}, sealed) == {8: PLAIN[8]}


@pytest.mark.parametrize('text', ['', '{', '{"keys": [{"kid": "first", "k": "secret"}]}', '{"keys": 1}'])
def test_a_file_that_is_none_is_refused_without_what_is_in_it(tmp_path, clickhouse, text):
    path = tmp_path / 'keys.json'
    path.write_text(text)
    with pytest.raises(WinnowError, match='is no file of master keys') as raised:
        SealedTexts(path, clickhouse)
    assert 'secret' not in raised.value.line()


def test_the_environment_names_both_or_neither(tmp_path):
    assert SealedTexts.from_environment({}) is None
    given = {'WINNOW_CORPUS_ENCRYPTION': str(tmp_path / 'keys.json')}
    assert code_of('WINNOW_CLICKHOUSE_URL is not', lambda: SealedTexts.from_environment(given)) == 'CONFIGURATION'
    given['WINNOW_CLICKHOUSE_URL'] = 'http://127.0.0.1:1'
    assert code_of('is no file of master keys', lambda: SealedTexts.from_environment(given)) == 'CONFIGURATION'
