import { array, boolean, documented, documentId, double, int, long, nullable, string, word } from '../field.ts'
import { nested, type RecordValue, record } from '../record.ts'

const Contained = record('Contained', 'What a document has of an item of an evaluation set', {
  item: documented(int, 'Number of the item in its set, from 0'),
  found: documented(int, "Of the item's different n-grams, those that are in the document"),
  of: documented(int, 'How many different n-grams the item has'),
  from: documented(long, 'Where the longest common stretch begins in the text of the document, in UTF-16 units'),
  to: documented(long, 'And where it ends'),
})

/**
 * Takes a document out of all selections from the next round on, or back in. Key: the document's id. Of several for the same document and list the last in
 * log order holds; a document is out while any list has it (docs/SELECTION.md, "Exclusions").
 */
export const Exclusion = record('Exclusion', 'A document that takes part no more, or again', {
  docId: documentId,
  list: documented(string, 'Why, as somebody who lifts it names it: eval-set/NAME, erasure/NAME'),
  reason: word(['contamination', 'erasure', 'duplicate']),
  excluded: documented(boolean, 'false: the list has it no more'),
  by: documented(string, 'Who: a station, or a person as the command was told'),
  recordedMs: documented(long, 'When, milliseconds since the epoch'),
  contained: documented(
    nullable(nested(Contained)),
    'Evidence of a contamination; null of other reasons, and where it is lifted',
  ),
})
export type Exclusion = RecordValue<typeof Exclusion>

/** An evaluation set that no document may contain. Compacted by set/NAME: the last record is its state. */
export const EvalSet = record('EvalSet', 'An evaluation set that documents are compared with', {
  name: string,
  version: documented(string, 'SHA-256 of n-gram, share and items'),
  ngram: documented(int, 'Words of an n-gram'),
  share: documented(
    double,
    "Of an item's different n-grams, how many a document has to have: 0.5 is half of them, 0 any one",
  ),
  items: documented(long, 'How many items it has'),
  chunks: documented(int, 'How many records of EvalItems hold them'),
  active: documented(boolean, 'false: it was removed'),
  by: documented(string, 'Who added or removed it: a person as the command was told, or a run whose files it is'),
  origin: documented(string, 'Where its items were read'),
  addedMs: documented(
    long,
    'When it was added last, milliseconds since the epoch: documents are compared with it again',
  ),
  recordedMs: documented(long, 'When this was recorded'),
})
export type EvalSet = RecordValue<typeof EvalSet>

/** Items of an evaluation set, before the record of the set itself. Key: items/NAME/VERSION/CHUNK. */
export const EvalItems = record('EvalItems', 'Items of an evaluation set', {
  set: string,
  version: string,
  chunk: documented(int, 'From 0'),
  items: documented(array(string), 'Their texts, in order; empty once the set is removed'),
})
export type EvalItems = RecordValue<typeof EvalItems>
