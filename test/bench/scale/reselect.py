"""One reselection as research code does it: reads every line, scores every document, sorts, writes down the ids.

python3 reselect.py LABELS.jsonl CONFIG.json: the labels as for `winnow simulate`; weights, theta, budget and seeds in CONFIG.json.
Prints the seconds and the SHA-256 of the ids in emission order, which must be winnow's.
"""

import hashlib
import json
import sys
import time

MASK = (1 << 64) - 1
PLACE_BITS = 58


def splitmix64(x):
    z = (x + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def key(doc, starts):
    place = splitmix64(doc)
    block = place >> PLACE_BITS
    return (((place - starts[block]) & ((1 << PLACE_BITS) - 1)) << 6) | block


def main():
    labels_path, config_path = sys.argv[1:]
    with open(config_path) as file:
        config = json.load(file)
    seed, order_seed = int(config["select"]), int(config["order"])
    starts = [splitmix64((seed + block) & MASK) for block in range(64)]
    weights = list(config["weights"].items())
    theta = config["theta"]
    began = time.perf_counter()
    ranked = []
    with open(labels_path) as lines:
        for line in lines:
            document = json.loads(line)
            score = 0.0
            for (actor, by_subcategory), share in zip(weights, theta):
                score += share * by_subcategory[document["labels"][actor]]
            doc = int(document["docId"])
            ranked.append((-score, key(doc, starts), doc))
    ranked.sort()
    chosen = [doc for _, _, doc in ranked[: config["documents"]]]
    chosen.sort(key=lambda doc: (splitmix64(doc ^ order_seed), doc))
    digest = hashlib.sha256(b"".join(doc.to_bytes(8, "little") for doc in chosen)).hexdigest()
    print(json.dumps({"seconds": time.perf_counter() - began, "digest": digest}))


main()
