"""Documents of a token store that are erased: no byte of them is left, readers agree at once, and no kill at any write changes that."""

import json
import random
import shutil
import threading

import numpy as np
import pytest
from store_world import WANTED, Killed, array, doc, dying_writes, expected, filled, read, tokens_of
from winnow_trainer.token_store import TokenStore
from winnow_trainer.token_store import store as store_module
from winnow_trainer.token_store.filler import Filler
from winnow_trainer.token_store.layout import read_committed
from winnow_trainer.token_store.megatron import Index

# Of four tokens and more, so that their bytes are nobody else's.
IDS = [id for id in (doc(source, row) for source in (1, 2) for row in range(40)) if len(tokens_of(id)) > 3]


def found_in(folder, id):
    """The files that have the tokens of a document, as they are written."""
    body = tokens_of(id).astype(WANTED.dtype).tobytes()
    return [path.name for path in folder.rglob('*') if path.is_file() and body in path.read_bytes()]


def erased(folder, *ids):
    opened = Filler(folder, WANTED)
    try:
        return opened.erase(array(ids))
    finally:
        opened.close()


def test_nothing_is_left_of_an_erased_document_and_nothing_else_has_changed_in_megatrons_files(tmp_path):
    filled(tmp_path, IDS[:9], IDS[9:20], file_documents=8)
    gone = [IDS[3], IDS[15]]
    before = {path.name: path.read_bytes() for path in tmp_path.glob('tokens-*')}
    assert [found_in(tmp_path, id) for id in gone] == [['tokens-00000.bin'], ['tokens-00001.bin']]
    assert erased(tmp_path, *gone, IDS[30]) == 2
    assert erased(tmp_path, *gone) == 0
    for number, at in ((0, 3), (1, 7)):
        name = f'tokens-0000{number}.bin'
        index = Index(tmp_path / f'tokens-0000{number}.idx')
        first, after = index.pointers[at], index.pointers[at] + 2 * index.lengths[at]
        before[name] = before[name][:first] + bytes(after - first) + before[name][after:]
    assert {path.name: path.read_bytes() for path in tmp_path.glob('tokens-*')} == before
    assert [found_in(tmp_path, id) for id in IDS[:20]] == [
        [] if id in gone else [f'tokens-0000{n // 8}.bin'] for n, id in enumerate(IDS[:20])
    ]
    assert np.fromfile(tmp_path / 'erased.ids', dtype='<u8').tolist() == sorted(gone)


def test_a_reader_gives_an_end_alone_for_what_is_erased_also_one_that_was_open_before(tmp_path):
    filled(tmp_path, IDS[:8])
    store, asked = TokenStore(tmp_path), [IDS[2], IDS[5], IDS[2], IDS[0], IDS[7]]
    assert read(store, asked) == expected(asked)
    begun = store.fetched(array(asked), lambda: None)
    erased(tmp_path, IDS[2], IDS[7])
    left = [[], tokens_of(IDS[5]).tolist(), [], tokens_of(IDS[0]).tolist(), []]
    # Asked for before, and gathered after.
    (page,) = begun
    assert page.lengths.tolist() == [len(tokens) + 1 for tokens in left]
    assert page.tokens.tolist() == [token for tokens in left for token in [*tokens, WANTED.end]]
    assert read(store, asked) == read(TokenStore(tmp_path), asked) == left
    assert read(store, []) == []
    # As often as it happens, and while the store grows.
    filled(tmp_path, IDS[8:12])
    erased(tmp_path, IDS[9])
    assert read(store, IDS[8:10]) == [tokens_of(IDS[8]).tolist(), []]


def test_what_was_overwritten_while_it_was_gathered_is_gathered_again(tmp_path, monkeypatch):
    filled(tmp_path, IDS[:4])
    store, page = TokenStore(tmp_path), store_module.Found.page
    gathered = []

    def overtaken(found):
        if not gathered:
            erased(tmp_path, IDS[1])
        gathered.append(page(found))
        return gathered[-1]

    monkeypatch.setattr(store_module.Found, 'page', overtaken)
    assert read(store, IDS[:2]) == [tokens_of(IDS[0]).tolist(), []]
    assert [len(one.tokens) for one in gathered] == [len(tokens_of(IDS[0])) + rest for rest in (len(tokens_of(IDS[1])) + 2, 2)]


def test_threads_that_read_while_documents_are_erased_get_whole_documents_or_none(tmp_path):
    filled(tmp_path, IDS)
    store, wrong, stopped = TokenStore(tmp_path), [], threading.Event()
    whole = [[tokens, []] for tokens in expected(IDS)]

    def reading():
        while not stopped.is_set():
            wrong.extend(tokens for tokens, right in zip(read(store, IDS), whole, strict=True) if tokens not in right)

    threads = [threading.Thread(target=reading) for _ in range(3)]
    for one in threads:
        one.start()
    for id in IDS:
        erased(tmp_path, id)
    stopped.set()
    for one in threads:
        one.join()
    assert wrong == [] and read(store, IDS) == [[]] * len(IDS)


def test_a_store_has_the_format_that_older_packages_read_until_something_is_erased(tmp_path):
    def said():
        return json.loads((tmp_path / 'store.json').read_text())

    filled(tmp_path, IDS[:4])
    assert said()['format'] == 1 and not {'listed', 'erased'} & said().keys()
    assert erased(tmp_path, IDS[20]) == 0 and said()['format'] == 1
    erased(tmp_path, IDS[1])
    assert [said()[name] for name in ('format', 'listed', 'erased')] == [2, 1, 1]
    filled(tmp_path, IDS[4:6])
    assert [said()[name] for name in ('format', 'listed', 'erased')] == [2, 1, 1]
    assert read(TokenStore(tmp_path), IDS[:6]) == [[] if id == IDS[1] else tokens_of(id).tolist() for id in IDS[:6]]


def test_what_was_never_committed_is_gone_when_the_store_is_opened_again(tmp_path, monkeypatch):
    filled(tmp_path, IDS[:3])
    with monkeypatch.context() as patched:
        patched.setattr('winnow_trainer.token_store.filler.write_committed', lambda *_: (_ for _ in ()).throw(Killed()))
        with pytest.raises(Killed):
            filled(tmp_path, IDS[3:12], file_documents=4)
    assert [found_in(tmp_path, IDS[n]) for n in (3, 4, 11)] == [[f'tokens-0000{n}.bin'] for n in (0, 1, 2)]
    Filler(tmp_path, WANTED).close()
    assert [found_in(tmp_path, id) for id in IDS[3:12]] == [[]] * 9
    assert read(TokenStore(tmp_path), IDS[:3]) == expected(IDS[:3])


@pytest.mark.parametrize('seed', range(2))
def test_killed_at_every_write_leaves_whole_documents_or_none_and_in_the_end_no_byte_of_what_was_erased(
    tmp_path, monkeypatch, seed
):
    rng = random.Random(seed)
    topic, gone = rng.sample(IDS, len(IDS)), set()
    writes = dying_writes(monkeypatch)
    reader, deaths, unfinished = None, 0, 0
    for allowed in range(300):
        writes['left'] = allowed % 29
        try:
            opened = Filler(tmp_path, WANTED, file_documents=7)
        except Killed:
            deaths += 1
            continue
        try:
            for _ in range(3):
                first = opened.offsets.get(0, 0)
                some = topic[first : first + rng.randrange(1, 4)]
                # Whose key is destroyed comes in without tokens.
                opened.add({id: tokens_of(id)[: 0 if id in gone else None] for id in some}, {0: first + len(some)})
                if rng.random() < 0.3:
                    gone |= set(rng.sample(topic, 2))
                opened.erase(array(gone))
        except Killed:
            deaths += 1
        opened.close()
        writes['left'] = None
        reader = reader or TokenStore(tmp_path)
        committed = read_committed(tmp_path)
        unfinished += committed.listed > committed.erased
        done = topic[: int(committed.offsets.get('0', 0))]
        for store in (reader, TokenStore(tmp_path)):
            for id, tokens in zip(done, read(store, done), strict=True):
                assert tokens == tokens_of(id).tolist() or (id in gone and tokens == [])
    assert deaths > 50 and unfinished > 5 and done == topic
    erased(tmp_path, *gone)
    assert read(reader, topic) == [[] if id in gone else tokens_of(id).tolist() for id in topic]
    assert [id for id in topic if not found_in(tmp_path, id)] == [id for id in topic if id in gone] != []
    assert read_committed(tmp_path).erased == len(gone)


def test_an_erasure_that_was_cut_off_is_finished_when_the_store_is_opened_to_be_filled(tmp_path, monkeypatch):
    filled(tmp_path, IDS[:4])
    writes = dying_writes(monkeypatch)
    shutil.copytree(tmp_path, tmp_path / 'whole')
    seen = set()
    for allowed in range(12):
        folder = tmp_path / str(allowed)
        shutil.copytree(tmp_path / 'whole', folder)
        opened = Filler(folder, WANTED)
        writes['left'] = allowed
        try:
            opened.erase(array(IDS[1:3]))
        except Killed:
            pass
        opened.close()
        writes['left'] = None
        listed = read_committed(folder).listed
        left = [[] if listed and id in IDS[1:3] else tokens_of(id).tolist() for id in IDS[:4]]
        assert read(TokenStore(folder), IDS[:4]) == left
        seen.add((listed, read_committed(folder).erased, *(len(found_in(folder, id)) for id in IDS[1:3])))
        Filler(folder, WANTED).close()
        assert [found_in(folder, id) for id in IDS[1:3]] == [[] if listed else ['tokens-00000.bin']] * 2
        assert [path.stat().st_size for path in folder.glob('erased.ids')] in ([], [8 * listed])
    # Not listed; listed and whole; half overwritten; overwritten and not said; said.
    assert seen == {(0, 0, 1, 1), (2, 0, 1, 1), (2, 0, 0, 1), (2, 0, 0, 0), (2, 2, 0, 0)}
