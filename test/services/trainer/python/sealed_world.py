"""Texts that ingest has encrypted, as golden-sealed.ts wrote them, and a ClickHouse that has their keys."""

import json
from pathlib import Path

from winnow_wire.texts import is_sealed

GOLDEN = json.loads((Path(__file__).parent / 'sealed.json').read_text())
PLAIN = {int(one['docId']): one['text'] for one in GOLDEN['texts']}
SEALED = {int(one['docId']): one['sealed'] for one in GOLDEN['texts']}


class ClickHouse:
    """Answers as ClickHouse does, from rows of keys and of documents whose erasure was asked for."""

    def __init__(self):
        self.keys = list(GOLDEN['keys'])
        self.asked_for = set()

    def answer(self, query, waiting):
        docs = set(query.partition(' IN (')[2].partition(')')[0].split(','))
        if 'count()' in query:
            rows = [{'rows': len(self.asked_for), 'sum': '1'}]
        elif 'GROUP BY doc' in query:
            after = int(query.partition('doc > ')[2].partition(' ')[0] or -1)
            page = int(query.rpartition(' LIMIT ')[2].partition(' ')[0])
            rows = [{'id': str(doc)} for doc in sorted(map(int, self.asked_for)) if doc > after][:page]
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
            rows = [{'id': doc} for doc in docs & self.asked_for]
        return ''.join(f'{json.dumps(row)}\n' for row in rows).encode()

    def erase(self, doc):
        self.asked_for.add(str(doc))
        self.lose(doc)

    def lose(self, doc):
        self.keys = [key for key in self.keys if key['docId'] != str(doc)]
