"""Checkpoints in object stores: read whole and of one version, and stored before they are reported."""

import http.server
import io
import json
import threading
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from winnow_trainer.announcing import Announcer
from winnow_trainer.cursor import Cursor
from winnow_wire import stores
from winnow_wire.errors import WinnowError
from winnow_wire.places import place_of

SHIPPED = Path(__file__).parents[4] / 'services/model/shipped/llama-64x2'


class Reports(list):
    def report(self, one):
        self.append(one)

    def flush(self):
        pass

    def close(self):
        pass


def tensors():
    parameters = json.loads((SHIPPED / 'model.json').read_text())['parameters']
    return {one['name']: np.zeros(one['shape'], dtype=np.float32) for one in parameters}


class Store(http.server.BaseHTTPRequestHandler):
    """A web server of one file, whose first connections end early."""

    content, etag, cuts, sent = b'', '"1"', 0, 0
    asked: ClassVar[list] = []

    def do_GET(self):
        kind = type(self)
        start, end = self.headers['Range'].removeprefix('bytes=').split('-')
        part = kind.content[int(start) : int(end) + 1 if end else None]
        if end == '':
            kind.asked.append((self.headers['Range'], self.headers['If-Match']))
        if self.headers['If-Match'] not in (None, kind.etag):
            self.send_response(412)
            self.end_headers()
            return
        self.send_response(206)
        self.send_header(
            'Content-Range',
            f'bytes {start}-{int(start) + len(part) - 1}/{len(kind.content)}',
        )
        self.send_header('Content-Length', str(len(part)))
        self.send_header('ETag', kind.etag)
        self.end_headers()
        if end == '' and kind.cuts > 0:
            kind.cuts -= 1
            part = part[:1000]
        self.wfile.write(part)
        self.close_connection = True

    def log_message(self, *_):
        pass


@pytest.fixture
def web():
    Store.content, Store.etag, Store.cuts, Store.asked = (
        bytes(i * 31 % 251 for i in range(100_000)),
        '"1"',
        0,
        [],
    )
    server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), Store)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f'http://anna:s3cret@127.0.0.1:{server.server_port}/step-1.safetensors'
    server.shutdown()
    server.server_close()


def test_an_object_is_downloaded_on_from_where_its_connection_breaks(web, monkeypatch):
    monkeypatch.setattr(stores, 'DELAY_FIRST', 0.001)
    Store.cuts = 3
    into = io.BytesIO()
    assert stores.download(web, into) == '"1"'
    assert into.getvalue() == Store.content
    assert Store.asked == [(f'bytes={start}-', '"1"') for start in (0, 1000, 2000, 3000)]


def test_an_object_that_changes_while_it_is_downloaded_is_refused_without_a_word_of_its_login(web, monkeypatch):
    monkeypatch.setattr(stores, 'DELAY_FIRST', 0.001)
    Store.cuts = 1

    class Into(io.BytesIO):
        def write(self, chunk):
            Store.etag = '"2"'
            return super().write(chunk)

    with pytest.raises(WinnowError, match='has changed since it was opened') as refused:
        stores.download(web, Into())
    assert refused.value.code == 'BAD_DATA'
    assert 's3cret' not in str(refused.value) and 'anna' not in str(refused.value)


def test_addresses_of_stores_are_named_as_files_are():
    assert stores.beside('s3://b/run/model.safetensors.index.json', 'a-1.safetensors') == 's3://b/run/a-1.safetensors'
    assert stores.beside('https://h/r/i.json?x=1', 'a') == 'https://h/r/a?x=1'
    assert stores.name_of('https://h/r/a%20b.json?x=1') == 'a b.json'
    assert stores.shown('https://u:p@h/r/a?sig=1') == 'https://h/r/a?…'
    assert place_of('s3://b/k') == 's3://b/k'
    with pytest.raises(WinnowError, match='nothing can be stored'):
        stores.upload('/nowhere', 'https://h/a')


def test_a_store_that_is_away_is_asked_again_and_one_that_refuses_an_upload_is_not(monkeypatch):
    monkeypatch.setattr(stores, 'DELAY_FIRST', 0.001)
    calls = []

    class S3UploadFailedError(Exception):
        """boto3's, which does not have the answer."""

    class Answered(Exception):
        def __init__(self, status):
            super().__init__(status)
            self.response = {'ResponseMetadata': {'HTTPStatusCode': status}}

    class Client:
        def upload_file(self, *given):
            calls.append(given)
            try:
                raise Answered(status)
            except Answered as error:
                if len(calls) < 3:
                    raise S3UploadFailedError(str(error))  # noqa: B904 - as boto3 does

    monkeypatch.setattr(stores, '_s3_client', Client)
    status = 503
    stores.upload('/file', 's3://b/k')
    assert calls == [('/file', 'b', 'k')] * 3
    calls.clear()
    status = 403
    with pytest.raises(WinnowError, match='is refused') as refused:
        stores.upload('/file', 's3://b/k')
    assert refused.value.code == 'CONFIGURATION' and len(calls) == 1


def test_a_checkpoint_whose_mapped_path_is_an_address_is_stored_there_before_it_is_reported(tmp_path, monkeypatch):
    stored, reports = [], Reports()
    monkeypatch.setattr(
        'winnow_trainer.announcing.upload',
        lambda path, place: stored.append((path, place, list(reports))),
    )
    monkeypatch.setattr('winnow_wire.stores.LIBRARIES', {})
    config = {
        'updateSteps': 2,
        'steps': 4,
        'model': str(SHIPPED),
        'checkpoints': str(tmp_path),
    }
    announcer = Announcer(config, reports, 1, {f'{tmp_path}/': 's3://bucket/runs/'})
    path = announcer.announce(Cursor('r', 't' * 64, 8, 2, 0, step=2), {}, tensors(), {})
    place = 's3://bucket/runs/r/step-00000002.safetensors'
    assert stored == [(str(path), place, [])]
    assert reports[-1]['checkpoint']['path'] == place


def test_a_run_whose_checkpoints_is_an_address_stores_them_there_and_keeps_one_here(monkeypatch):
    stored, reports = [], Reports()
    monkeypatch.setattr('winnow_trainer.announcing.upload', lambda path, place: stored.append((Path(path).exists(), place)))
    monkeypatch.setattr('winnow_wire.stores.LIBRARIES', {})
    config = {'updateSteps': 2, 'steps': 4, 'model': str(SHIPPED), 'checkpoints': 's3://bucket/runs'}
    announcer = Announcer(config, reports, 1)
    first, second = (
        announcer.announce(Cursor('r', 't' * 64, 8, 2, 0, step=step), {}, tensors(), {}) for step in (2, 4)
    )
    places = [f's3://bucket/runs/r/step-0000000{step}.safetensors' for step in (2, 4)]
    assert stored == [(True, place) for place in places]
    assert [one['checkpoint']['path'] for one in reports] == places
    assert (first.exists(), second.exists()) == (False, True)
    announcer.close()
    assert not second.exists()


def test_a_library_that_is_missing_is_named_before_anything_is_trained_or_read(tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr('winnow_wire.stores.importlib.import_module', missing)
    config = {'updateSteps': 2, 'steps': 4, 'model': str(SHIPPED), 'checkpoints': str(tmp_path)}
    for more in ({'checkpoints': 's3://bucket/runs'}, {'map_path': {'/scratch/': 's3://bucket/'}}):
        with pytest.raises(WinnowError, match='boto3 is not installed') as refused:
            Announcer({**config, **more}, Reports(), 1, more.get('map_path'))
        assert (refused.value.code, refused.value.hint) == ('CONFIGURATION', 'pip install boto3')
    Announcer(config, Reports(), 1, {'/scratch/': '/mnt/'})
