/** A deliberate mistake: one place of one file, changed. The tests must notice. */
export interface Mutant {
  readonly name: string
  readonly file: string
  /** Occurs exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** Tests that are run on it, after those of all mutants; by default these alone. */
  readonly tests?: readonly string[]
}

/** What is run on every mutant: the pure topologies, their simulation, and the loop of a station. */
export const suite = ['test/topologies', 'test/simulation', 'test/services/runtime/station.test.ts']

export const mutants: readonly Mutant[] = [
  {
    name: 'offset gate removed: an actor folds before it has read what the closing counts',
    file: 'topologies/rounds/collect.ts',
    find: 'closed === undefined || !this.#reached(closed.rewardOffsets)) return',
    replace: 'closed === undefined) return',
  },
  {
    name: 'deduplication removed: the last answer counts',
    file: 'topologies/rounds/ledger.ts',
    find: "    if (entry.answer !== undefined && entry.answer.offset <= offset) return 'duplicate'\n",
    replace: '',
  },
  {
    name: 'late rewards counted',
    file: 'topologies/rounds/ledger.ts',
    find: 'offset < (limitOf.get(partition) ?? 0)',
    replace: 'offset >= 0 || limitOf.has(partition)',
  },
  {
    name: 'sum in arrival order',
    file: 'topologies/rounds/ledger.ts',
    find: '      .sort((a, b) => (a.docId < b.docId ? -1 : 1))\n',
    replace: '      .sort((a, b) => a.offset - b.offset)\n',
  },
  {
    name: "state and offsets in two records: an actor goes on where the group's offset says",
    file: 'topologies/stations/actor.ts',
    find: 'return this.#restored?.inputOffsets.find((offset) => offset.partition === partition)?.offsetNext ?? 0',
    replace: 'return undefined as unknown as number',
  },
  {
    name: 'a restored actor folds its last round again',
    file: 'topologies/rounds/collect.ts',
    find: 'if (round > this.#roundDone) this.#file(round, delivered)',
    replace: 'if (round >= this.#roundDone) this.#file(round, delivered)',
  },
  {
    name: 'top-k with >= threshold: everything that ties is taken',
    file: 'topologies/selection/plan.ts',
    find: 'level.documents > remaining.amount',
    replace: 'level.documents < 0',
  },
  {
    name: 'guards of subcategories are dropped',
    file: 'topologies/selection/guards-config.ts',
    find: 'decidedByCells(strategy) ? guards.rules : []',
    replace: 'decidedByCells(strategy) ? guards.rules.slice(0, 0) : []',
    tests: ['test/topologies/selection/guards.test.ts', 'test/topologies/selection/whole.test.ts'],
  },
  {
    name: 'floors are not filled first',
    file: 'topologies/selection/guards.ts',
    find: 'fill(own, amount - sumAt(taken, own))',
    replace: 'fill(own, 0)',
    tests: ['test/topologies/selection/guards.test.ts'],
  },
  {
    name: 'a cap that is reached goes on taking',
    file: 'topologies/selection/guards.ts',
    find: "  const caps = boundsOf('cap')\n",
    replace: "  const caps = boundsOf('cap').slice(0, 0)\n",
    tests: ['test/topologies/selection/guards.test.ts'],
  },
  {
    name: 'a document that was read as often as may be is selected once more',
    file: 'topologies/selection/strata.ts',
    find: 'documents > 0 && reads < most',
    replace: 'documents > 0 && reads <= most',
    tests: ['test/topologies/selection/whole.test.ts'],
  },
  {
    name: 'the natural share is taken by score',
    file: 'topologies/selection/guards.ts',
    find: '  if (natural > 0) draw(',
    replace: '  if (natural < 0) draw(',
  },
  {
    name: 'a round has the natural share of the round before',
    file: 'topologies/rounds/configuration.ts',
    find: 'this.#natural.get(round))',
    replace: 'this.#natural.get(round - 1))',
  },
  {
    name: 'ablations are judged without the natural share of their rounds',
    file: 'topologies/ablation/judge.ts',
    find: 'withNaturalShare(config, naturalShare)',
    replace: 'withNaturalShare(config, naturalShare === -1 ? 1 : 0)',
    tests: ['test/services/archive/other-text.test.ts'],
  },
  {
    name: 'an opening that may be written is decided anew',
    file: 'topologies/console/console.ts',
    find: 'this.#opening ?? (await this.#decideOpening(due))',
    replace: 'await this.#decideOpening(due)',
  },
  {
    name: 'a closing that may be written is decided anew',
    file: 'topologies/console/console.ts',
    find: 'this.#closing ?? this.#decideClosing(round)',
    replace: 'this.#decideClosing(round)',
  },
  {
    name: 'requests not deduplicated: a restarted console opens its last round again',
    file: 'topologies/console/console.ts',
    find: '    const roundLast = Math.max(-1, ...this.#decided.opened.keys())\n',
    replace: '    const roundLast = Math.max(-1, ...this.#decided.closed.keys())\n',
  },
  {
    name: 'the sink says how far it is before it has written',
    file: 'topologies/stations/label-sink.ts',
    find: '    await this.#store.addDocuments(documents)\n    await this.#store.addLabels(labels)\n    await this.#store.commit(offsets)\n',
    replace:
      '    await this.#store.commit(offsets)\n    await this.#store.addDocuments(documents)\n    await this.#store.addLabels(labels)\n',
  },
  {
    name: 'the corpus keeps the last of several labels',
    file: 'topologies/memory-store.ts',
    find: 'before === undefined || at.offset < before.offset',
    replace: 'before === undefined || at.offset >= before.offset',
  },
  {
    name: 'in ClickHouse the largest of several labels counts',
    file: 'services/corpus/clickhouse-store.ts',
    find: '.label} SimpleAggregateFunction(any,',
    replace: '.label} SimpleAggregateFunction(max,',
    tests: ['test/services/corpus/late-labels.test.ts'],
  },
  {
    name: 'a selection sees labels beyond its offsets',
    file: 'topologies/memory-store.ts',
    find: 'at !== undefined && at.offset < (limits',
    replace: 'at !== undefined && -1 < (limits',
  },
  {
    name: 'a document enters the table for drawing with each state',
    file: 'services/corpus/sorted/newcomers-sql.ts',
    find: ' AND NOT (${standsBefore(',
    replace: ' AND (true OR ${standsBefore(',
    tests: ['test/services/corpus'],
  },
  {
    name: 'a draw ignores as of what it is made',
    file: 'services/corpus/sorted/sorted-corpus.ts',
    find: '`state IN (${',
    replace: '`state NOT IN (0) AND 0 NOT IN (${',
    tests: ['test/services/corpus'],
  },
  {
    name: 'the manifest is written with the first part of a selection, whatever is still to come',
    file: 'topologies/console/emitting.ts',
    find: '      if (chunkFirst + partChunks < count) return undefined\n',
    replace: '      if (chunkFirst > count) return undefined\n',
    tests: ['test/services/selections'],
  },
  {
    name: 'a reader takes the first part of a selection for all of it',
    file: 'topologies/console/parts.ts',
    find: 'return parts.flatMap(',
    replace: 'return parts.slice(0, 1).flatMap(',
    tests: ['test/services/selections'],
  },
  {
    name: 'transaction omitted: ingest writes documents and state one after the other',
    file: 'services/ingest/writer.ts',
    find: '    await this.#producer.transaction(async (send) => {\n      await send(records)\n    })\n',
    replace: '    for (const record of records) await this.#producer.send([record])\n',
    tests: ['test/services/ingest/ingest.test.ts'],
  },
  {
    name: 'dead letters written after the decision that skips their records',
    file: 'services/runtime/station.ts',
    find: '    await deadLetters.send()\n    return await write()\n',
    replace: '    return await write()\n',
  },
  {
    name: 'dead letters not written before the offset is committed',
    file: 'services/runtime/station.ts',
    find: '      await deadLetters.send()\n    }).finally(',
    replace: '      void deadLetters.send()\n    }).finally(',
  },
  {
    name: 'what was left of an answer is kept for the next connection',
    file: 'services/runtime/kafka/whole-answers.ts',
    find: '  connection.chunks = []\n  connection.bytesBuffered = 0\n  connection.bytesNeeded = sizeBytes\n',
    replace: '  void sizeBytes\n',
    tests: ['test/services/runtime/kafka'],
  },
]
