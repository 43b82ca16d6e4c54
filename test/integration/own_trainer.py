"""Drives docs/examples/trainer.py for trainer-python.test.ts: settings as JSON in the first argument, a line of JSON for each thing read."""

import hashlib
import itertools
import json
import os
import shutil
import sys
from pathlib import Path

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).parents[2] / 'docs/examples'))
from trainer import Place, Run, train  # noqa: E402

given = json.loads(sys.argv[1])
kafka = {'bootstrap.servers': given['brokers']}
run = Run(given['run'], kafka, given['registry'], given['clickhouse'], given['login'])


class Model:
    steps = 0

    def step(self, texts):
        if self.steps == given.get('killAfter'):
            os._exit(9)
        self.steps += 1
        print(json.dumps(texts), flush=True)
        return 1.0, len(texts)

    def save(self, place):
        path = Path(given['folder']) / f'own-{place.step}.safetensors'
        shutil.copy(given['weights'], path)
        (Path(given['folder']) / 'place.json').write_text(json.dumps(place.__dict__))
        return str(path), hashlib.sha256(path.read_bytes()).hexdigest()


if 'read' in given:
    for index in given['read']:
        ids = list(itertools.islice(run.documents(0, index), given['count']))
        print(json.dumps([str(id) for id in ids]), flush=True)
else:
    place = Path(given['folder']) / 'place.json'
    ranks = given.get('ranks', {'rank': 0, 'ranks': 1})
    train(run, Model(), Place(**json.loads(place.read_text())) if place.exists() else Place(), **ranks)
