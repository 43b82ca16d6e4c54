"""The token store: Megatron's files to the byte, kills at every write, duplicates, rows out of order, a reader beside the filler."""

import random
import struct
import threading

import numpy as np
import pytest
from store_world import WANTED, Killed, doc, dying_writes, expected, filled, read, tokens_of
from winnow_trainer.token_store import TokenStore, layout
from winnow_trainer.token_store.filler import Filler
from winnow_trainer.token_store.layout import Committed
from winnow_trainer.token_store.megatron import Index, dtype_for, write_index
from winnow_wire.errors import WinnowError


def test_writes_megatrons_index_byte_for_byte(tmp_path):
    # Written out by hand after indexed_dataset.py: three documents of 3, 1 and 2 tokens of type uint16, whose code is 8.
    write_index(tmp_path / 'x.idx', np.dtype('<u2'), np.array([3, 1, 2], dtype=np.int32))
    header = b'MMIDIDX\x00\x00' + struct.pack('<QBQQ', 1, 8, 3, 4)
    body = struct.pack('<3i', 3, 1, 2) + struct.pack('<3q', 0, 6, 8) + struct.pack('<4q', 0, 1, 2, 3)
    assert (tmp_path / 'x.idx').read_bytes() == header + body
    write_index(tmp_path / 'x.idx', np.dtype('<i4'), np.array([2, 5], dtype=np.int32))
    assert (tmp_path / 'x.idx').read_bytes()[17] == 4
    assert Index(tmp_path / 'x.idx').pointers.tolist() == [0, 8]
    assert [str(dtype_for(size)) for size in (256, 65_499, 65_500, 2**18)] == ['uint16', 'uint16', 'int32', 'int32']
    for damaged in (b'', header, header + body + b'x', b'M' + header[2:] + body):
        (tmp_path / 'x.idx').write_bytes(damaged)
        with pytest.raises((WinnowError, ValueError), match='no index of tokens|empty file'):
            Index(tmp_path / 'x.idx')


def test_a_data_file_holds_documents_with_their_ends_in_the_order_in_which_they_came(tmp_path):
    ids = [doc(1, 7), doc(1, 2), doc(3, 0)]
    filled(tmp_path, ids)
    stream = [token for id in ids for token in [*tokens_of(id).tolist(), 0]]
    assert np.fromfile(tmp_path / 'tokens-00000.bin', dtype='<u2').tolist() == stream
    assert Index(tmp_path / 'tokens-00000.idx').lengths.tolist() == [len(tokens_of(id)) + 1 for id in ids]
    assert np.fromfile(tmp_path / 'tokens-00000.ids', dtype='<u8').tolist() == ids


def test_gives_tokens_in_the_order_of_the_ids_from_any_number_of_files(tmp_path):
    rng = random.Random(5)
    ids = [doc(source, row, piece) for source in (0, 1, 2**24 - 1) for row in (0, 1, 2, 900) for piece in (0, 1, 255)]
    rng.shuffle(ids)
    # Some come twice, within a batch's neighbours and after a restart.
    filled(tmp_path, ids[:5], ids[3:16], file_documents=4)
    filled(tmp_path, ids[10:], file_documents=4)
    store = TokenStore(tmp_path)
    assert store.committed.documents == len(ids) == sum(documents for documents, _ in store.committed.files)
    assert [documents for documents, _ in store.committed.files] == [4] * 9
    asked = rng.choices(ids, k=100)
    assert read(store, asked) == expected(asked)


@pytest.mark.parametrize('seed', range(2))
def test_killed_at_every_write_loses_nothing_and_gives_no_wrong_token(tmp_path, monkeypatch, seed):
    rng = random.Random(seed)
    topic = [doc(rng.randrange(3), rng.randrange(200), rng.randrange(2)) for _ in range(60)]
    writes = dying_writes(monkeypatch)
    deaths = 0
    for allowed in range(200):
        # Another life takes other batches, in an order that its partitions come in.
        writes['left'] = allowed % 23
        try:
            opened = Filler(tmp_path, WANTED, file_documents=7)
        except Killed:
            deaths += 1
            continue
        try:
            for _ in range(4):
                first = opened.offsets.get(0, 0)
                some = topic[first : first + rng.randrange(1, 5)]
                opened.add({id: tokens_of(id) for id in rng.sample(some, len(some))}, {0: first + len(some)})
        except Killed:
            deaths += 1
        opened.close()
        writes['left'] = None
        store = TokenStore(tmp_path)
        done = topic[: int(store.committed.offsets.get('0', 0))]
        assert read(store, done) == expected(done)
        # What is not committed is missing, or right.
        ids = np.array(topic, dtype=np.uint64)
        there = [int(id) for id in ids[store.places(ids) > 0]]
        assert read(store, there) == expected(there)
    assert deaths > 50 and done == topic and store.committed.documents == len(set(topic))


def test_waits_for_a_document_that_is_still_on_its_way_and_says_what_to_do_about_one_that_is_not(tmp_path):
    filled(tmp_path, [doc(1, 0)])
    store = TokenStore(tmp_path, patience=30)
    later = threading.Timer(0.3, lambda: filled(tmp_path, [doc(1, 1), doc(2, 5)]))
    later.start()
    waits = []
    ids = [doc(2, 5), doc(1, 0)]
    assert read(store, ids, lambda: waits.append(1)) == expected(ids) and waits
    later.join()
    with pytest.raises(WinnowError) as missing:
        read(TokenStore(tmp_path, patience=0), [doc(1, 1), doc(4, 9, 2)])
    assert missing.value.code == 'WAITED_TOO_LONG' and missing.value.retriable
    assert f'document {doc(4, 9, 2)} (row 9 of source 4, piece 2) is not in the token store' in missing.value.line()
    assert "up to {'0': 2}" in missing.value.line() and f'winnow-trainer tokens {tmp_path}' in missing.value.line()


def test_refuses_what_it_is_not_of_with_both_values_and_a_second_filler(tmp_path):
    filled(tmp_path, [doc(1, 0)])
    for name, other in (('tokenizer', 'bb'), ('end', 3), ('topicId', 't-2')):
        with pytest.raises(WinnowError, match=f'{name} of the token store is') as refused:
            Filler(tmp_path, Committed(**WANTED.__dict__ | {name: other}))
        assert refused.value.code == 'CONFIGURATION' and repr(other) in str(refused.value)
    opened = Filler(tmp_path, WANTED)
    with pytest.raises(WinnowError, match='is being filled by another process'):
        Filler(tmp_path, WANTED)
    opened.close()
    with pytest.raises(WinnowError, match='is no token store'):
        TokenStore(tmp_path / 'elsewhere')
    for text, code in (
        ('{"format": 3}', 'CONFIGURATION'),
        ('{', 'BAD_DATA'),
        ('[]', 'CONFIGURATION'),
        ('{"format": 1}', 'BAD_DATA'),
        ('', 'BAD_DATA'),
    ):
        (tmp_path / 'store.json').write_text(text)
        with pytest.raises(WinnowError) as unreadable:
            layout.read_committed(tmp_path)
        assert unreadable.value.code == code
