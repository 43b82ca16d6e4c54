"""Texts that ingest has encrypted, as golden-sealed.ts wrote them, and a ClickHouse that has their keys."""

import json
from array import array
from pathlib import Path

from winnow_wire.texts import is_sealed

GOLDEN = json.loads((Path(__file__).parent / 'sealed.json').read_text())
PLAIN = {int(one['docId']): one['text'] for one in GOLDEN['texts']}
SEALED = {int(one['docId']): one['sealed'] for one in GOLDEN['texts']}


class ClickHouse:
    """Answers as ClickHouse does, from rows of keys and of documents whose erasure was asked for."""

    def __init__(self):
        self.keys = list(GOLDEN['keys'])
        # In the order of their records.
        self.asked_for = {}
        self.away = False

    def answer(self, query, waiting):
        docs = set(query.partition(' IN (')[2].partition(')')[0].split(','))
        if self.away:
            waiting()
        if 'FROM sink_offsets' in query:
            rows = [{'partition': 0, 'next': str(len(self.asked_for))}]
        elif 'FORMAT RowBinary' in query:
            first = int(query.partition('CAST([')[2].partition(']')[0] or 0)
            return array('Q', list(map(int, self.asked_for))[first:]).tobytes()
        elif 'FROM documents' in query:
            stored = {str(doc): text for doc, text in {**SEALED, 1: 'plain'}.items()}
            heads = {doc: stored[doc].partition('.')[0] + '.' if is_sealed(stored[doc]) else '' for doc in docs & stored.keys()}
            rows = [{'id': doc, 'head': head} for doc, head in heads.items()]
        elif 'FROM text_keys' in query:
            of = [key for key in self.keys if key['docId'] in docs]
            rows = [
                {
                    'id': key['docId'],
                    **{name: key[name] for name in ('name', 'epoch', 'wrapped')},
                }
                for key in of
            ]
        else:
            rows = [{'id': doc} for doc in docs & self.asked_for.keys()]
        return ''.join(f'{json.dumps(row)}\n' for row in rows).encode()

    def erase(self, doc):
        self.asked_for[str(doc)] = None
        self.lose(doc)

    def lose(self, doc):
        self.keys = [key for key in self.keys if key['docId'] != str(doc)]
