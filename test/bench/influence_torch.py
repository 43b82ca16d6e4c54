"""The peer of influence.ts: the same projected gradients by PyTorch on the same threads. Told on standard input what to do next.

`eager` runs what the influence graph was traced from, in batches of like length padded to the longest; `vmap` takes each
document's whole gradients by vmap(grad) and projects them. Each answers a JSON line: seconds, and seconds of CPU, for all
documents.
"""

import json
import sys
import time
from pathlib import Path

import torch
from safetensors.torch import load_file

sys.path.insert(0, str(Path(__file__).parents[2] / 'services' / 'influence' / 'export'))
from computations import inputs_and_targets, logits_of, negative_log_likelihood, projected_gradients, projected_linears
from export import causal_model


def padded(documents: list[list[int]]) -> tuple[torch.Tensor, torch.Tensor]:
    length = max(map(len, documents))
    ids, mask = torch.zeros(len(documents), length, dtype=torch.int32), torch.zeros(len(documents), length)
    for row, document in enumerate(documents):
        ids[row, : len(document)] = torch.tensor(document, dtype=torch.int32)
        mask[row, : len(document)] = 1
    return ids, mask


def batches(documents: list[list[int]], size: int):
    order = sorted(range(len(documents)), key=lambda i: len(documents[i]))
    for start in range(0, len(order), size):
        rows = order[start : start + size]
        yield rows, *padded([documents[i] for i in rows])


class Peer:
    def __init__(self, job: dict):
        torch.set_num_threads(job['threads'])
        self.documents = job['documents']
        self.model = causal_model(job['config'])
        stored = load_file(job['checkpoint'])
        self.names = [name for name, _ in self.model.named_parameters()]
        self.parameters = [stored[name] for name in self.names]
        self.linears = projected_linears(self.model)
        signs = load_file(job['projections'])
        self.projections = [signs[f'{side}.{name}'] for name, *_ in self.linears for side in ('P_in', 'P_out')]
        self.compute = projected_gradients(self.model, self.names, self.linears)

    def all(self, run, size: int, count: int | None = None) -> tuple[torch.Tensor, float]:
        documents = self.documents[:count]
        result: list = [None] * len(documents)
        started = time.perf_counter()
        for rows, ids, mask in batches(documents, size):
            for row, phi in zip(rows, run(ids, mask)):
                result[row] = phi
        return torch.stack(result), time.perf_counter() - started

    def eager(self, ids, mask):
        return self.compute(*self.parameters, *self.projections, ids, mask)[1]

    def vmap(self, ids, mask):
        fixed = dict(zip(self.names, self.parameters))
        moved = {f'{name}.weight': fixed[f'{name}.weight'] for name, *_ in self.linears}

        def loss(weights, one_ids, one_mask):
            tokens, targets, weight = inputs_and_targets(one_ids[None], one_mask[None])
            likelihood = negative_log_likelihood(logits_of(self.model, {**fixed, **weights}, tokens), targets)
            return (likelihood * weight).sum() / weight.sum()

        gradients = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0, 0))(moved, ids, mask)
        parts = []
        for index, (name, *_) in enumerate(self.linears):
            p_in, p_out = self.projections[2 * index], self.projections[2 * index + 1]
            parts.append((p_out.T @ gradients[f'{name}.weight'] @ p_in).flatten(1))
        return torch.cat(parts, 1)


def main():
    with open(sys.argv[1]) as file:
        job = json.load(file)
    peer = Peer(job)
    expected = load_file(job['answers'])['phi']
    best = {}
    for name in ('eager', 'vmap'):
        run = getattr(peer, name)
        phi, _ = peer.all(run, 8)
        # The peer gets the batch that is fastest for it, on a part of the documents.
        times = {size: peer.all(run, size, 16)[1] for size in (1, 4, 8)}
        best[name] = min(times, key=times.get)
        error = ((phi - expected).norm() / expected.norm()).item()
        print(json.dumps({'what': name, 'batch': best[name], 'error': error}), flush=True)
    for line in sys.stdin:
        name = line.strip()
        before = time.process_time()
        _, seconds = peer.all(getattr(peer, name), best[name])
        print(json.dumps({'what': name, 'seconds': seconds, 'cpu': time.process_time() - before}), flush=True)


if __name__ == '__main__':
    main()
