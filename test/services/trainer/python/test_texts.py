"""Texts from a ClickHouse that is away for a while, lacks a document, or refuses."""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from winnow_trainer.texts import ClickHouseTexts
from winnow_wire import clickhouse as module
from winnow_wire.connection import ClickHouseAddress
from winnow_wire.errors import WinnowError

TEXTS = {5: 'five', 2**64 - 1: 'last', 7: 'seven'}


def row(doc):
    body = TEXTS[doc].encode()
    return doc.to_bytes(8, 'little') + bytes([len(body)]) + body


@pytest.fixture
def served(monkeypatch):
    """Answers in turn what it is told to; afterwards rows of the documents that are asked for, in an order of its own."""
    told, asked = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            query = self.rfile.read(int(self.headers['Content-Length'])).decode()
            asked.append((self.path, self.headers['Authorization'], query))
            status, body = (
                told.pop(0)
                if told
                else (
                    200,
                    b''.join(row(doc) for doc in reversed(TEXTS) if str(doc) in query),
                )
            )
            self.send_response(status)
            self.send_header('Content-Length', str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(module, 'RETRY_WAITS_SECONDS', [0.01] * 3)
    address = ClickHouseAddress(f'http://127.0.0.1:{server.server_port}/', 'corpus', 'Basic x')
    yield ClickHouseTexts(address), told, asked
    server.shutdown()
    server.server_close()


def texts_of(served, *ids):
    return served[0].texts(np.array(ids, dtype=np.uint64), lambda: None)


def test_gives_texts_in_the_order_of_the_ids_which_may_repeat(served):
    assert texts_of(served, 2**64 - 1, 5, 7, 5) == ['last', 'five', 'seven', 'five']
    path, authorization, query = served[2][0]
    assert (path, authorization) == ('/?database=corpus', 'Basic x')
    assert f'IN (5,7,{2**64 - 1})' in query


def test_asks_again_while_the_server_is_away(served):
    served[1].extend([(503, b'busy'), (500, b'Code: 202. Too many queries'), (502, b'')])
    assert texts_of(served, 7) == ['seven']
    assert len(served[2]) == 4


def test_gives_up_with_the_servers_own_words(served):
    served[1].extend([(503, b'still starting')] * 4)
    with pytest.raises(WinnowError, match='does not answer .503 still starting') as away:
        texts_of(served, 7)
    assert (away.value.code, away.value.retriable) == ('UNREACHABLE', True)


def test_ends_at_once_where_asking_again_does_not_help(served):
    served[1].append((500, b'Code: 497. Not enough privileges'))
    with pytest.raises(WinnowError, match='Not enough privileges') as refused:
        texts_of(served, 7)
    assert (refused.value.code, len(served[2])) == ('CONFIGURATION', 1)
    served[1].append((403, b'wrong password'))
    with pytest.raises(WinnowError, match='wrong password'):
        texts_of(served, 7)


def test_stops_waiting_when_nobody_wants_the_texts_any_more(served):
    served[1].extend([(503, b'busy')] * 4)

    def stopped():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        served[0].texts(np.array([7], dtype=np.uint64), stopped)
    assert len(served[2]) == 1


def test_a_selected_document_without_a_text_is_told_by_its_id(served):
    with pytest.raises(WinnowError, match='selected document 9 has no text') as lost:
        texts_of(served, 5, 9)
    assert (lost.value.code, lost.value.exit_code) == ('GUARANTEE_VIOLATED', 6)


def test_nobody_at_the_address_is_unreachable_and_shows_no_login(monkeypatch):
    monkeypatch.setattr(module, 'RETRY_WAITS_SECONDS', [0.01])
    nobody = ClickHouseTexts(ClickHouseAddress('http://127.0.0.1:9/', None, 'Basic geheim'))
    with pytest.raises(WinnowError, match='127.0.0.1:9') as away:
        nobody.texts(np.array([7], dtype=np.uint64), lambda: None)
    assert away.value.code == 'UNREACHABLE' and 'geheim' not in away.value.line()
