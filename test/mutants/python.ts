import type { Mutant } from './mutants.ts'

const packages = { trainer: 'services/trainer/python/winnow_trainer', tests: 'test/services/trainer/python' }

const mutant = (name: string, file: string, find: string, replace: string, test: string): Mutant => ({
  name: `Python: ${name}`,
  file: `${packages.trainer}/${file}`,
  find,
  replace,
  tests: [`${packages.tests}/${test}`],
})

/** Deliberate mistakes in the Python trainer; pytest must notice. None needs PyTorch. */
export const pythonMutants: readonly Mutant[] = [
  mutant(
    'a batch begins after the last target, not at it',
    'packing.py',
    '            at = last\n',
    '            at = last + 1\n',
    'test_packing.py',
  ),
  mutant(
    'a document has no end token',
    'tokens.py',
    '            tokens.append(self.end)\n            lengths.append(len(ids) + 1)\n',
    '            lengths.append(len(ids))\n',
    'test_tokens.py',
  ),
  mutant(
    'parts of ranks overlap where they do not divide the batch',
    'ranks.py',
    'return self.rank * sequences // self.ranks, (self.rank + 1) * sequences // self.ranks',
    'return self.rank * sequences // self.ranks, self.rank * sequences // self.ranks + -(-sequences // self.ranks)',
    'test_ranks.py',
  ),
  mutant(
    'the cursor says what was prefetched',
    'stream.py',
    '            yield self._batch_of(packed), after\n',
    '            self._cursor = after\n            yield self._batch_of(packed), after\n',
    'test_stream.py',
  ),
  mutant(
    'a round goes on where the one before was left',
    'cursor.py',
    "begin = {'sequence': 0, 'document': START.document, 'token': START.token, 'documentsRead': 0}",
    "begin = {'sequence': 0, 'documentsRead': 0}",
    'test_stream.py',
  ),
  mutant(
    'a checkpoint of another selection is accepted',
    'cursor.py',
    'if self.selectionDigest != selection_digest:',
    'if False:',
    'test_stream.py',
  ),
  mutant(
    'lag counts from the step after',
    'switching.py',
    'return max(0, (step - self.lag) // self.update_steps)',
    'return max(0, (step - 1 - self.lag) // self.update_steps)',
    'test_modes.py',
  ),
  mutant(
    'who leads follows what it has in mind, not what is in the log first',
    'switching.py',
    'return self.decided.get(step, unknown)',
    'return round if unknown is None else self.decided.get(step, unknown)',
    'test_modes.py',
  ),
  mutant(
    'nothing bounds what is read ahead',
    'feeder.py',
    'if len(self._made) >= self._ahead:',
    'if False:',
    'test_feeder.py',
  ),
  mutant(
    'a token store takes a document again that is in already',
    'token_store/filler.py',
    'new = ids[self._store.places(ids) == 0]',
    'new = ids',
    'test_token_store.py',
  ),
  mutant(
    'a document that is overwritten while it is gathered is given as it was found',
    'token_store/store.py',
    'while self._look() is not now.erased:',
    'while False:',
    'test_erased_tokens.py',
  ),
  mutant(
    'an erasure whose key is there yet is asked about once',
    'token_store/erasures.py',
    'self._open = np.setdiff1d(self._open, np.concatenate([gone, plain]), assume_unique=True)',
    'self._open = NONE',
    'test_erasures.py',
  ),
  mutant(
    'micro-batches of unequal size weigh the same',
    'batch.py',
    'weight * (last - first) / count',
    'weight / pieces',
    'test_ranks.py',
  ),
  mutant(
    'a place is sought from the round of the step after it',
    'reading.py',
    'round = self.switching.before(step)\n        if round not in',
    'round = self.switching.before(step + 1)\n        if round not in',
    'test_megatron.py',
  ),
  mutant(
    'a sequence is that of the batch before',
    'adapters/sequences.py',
    '        if step != self.stream.step:\n',
    '        if step < self.stream.step:\n',
    'test_megatron.py',
  ),
  mutant(
    'a rank has the parts of all',
    'adapters/sequences.py',
    'return self._whole[step * self._batch + self._first + row]',
    'return self._whole[step * self._batch + row]',
    'test_megatron.py',
  ),
]
