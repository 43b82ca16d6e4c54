import { array, boolean, documented, documentId, double, int, long, nullable, string, word } from '../field.ts'
import { type RecordValue, record } from '../record.ts'

/** How far a source file has been read. Compacted by name: the last record of a source is its state. */
export const Source = record('Source', 'A source file and how far it has been ingested', {
  name: documented(string, 'What identifies the source: its path below the folder or as it was given'),
  source: documented(int, 'Its number, 24 bits, given once; the upper bits of its documents ids'),
  fingerprint: documented(string, 'SHA-256 of the first bytes: another content under the same name is refused'),
  rowNext: documented(long, 'Rows before this one are in the topic or in dead letters'),
  documents: documented(long, 'Documents written so far'),
  rejected: documented(long, 'Rows that went to dead letters so far'),
  complete: documented(boolean, 'The end of the file was reached'),
  textField: {
    ...documented(string, 'Where its rows have their text'),
    // Sources recorded before this field was there.
    default: 'text',
  },
})
export type Source = RecordValue<typeof Source>

/** One document of the corpus. Key: its id in decimal. */
export const Document = record('Document', 'A document of the corpus', {
  docId: documented(documentId, 'source number (24 bits) << 40 | row (40 bits)'),
  text: string,
  tokens: documented(long, 'Length in tokens as ingest counts them; what token budgets add up'),
  meta: documented(string, 'The row without its text, as JSON'),
})
export type Document = RecordValue<typeof Document>

/** One actor's label of one document. Key: the document's id, so a document's labels share its partition. */
export const Label = record('Label', 'The subcategory of a document for one actor', {
  docId: documentId,
  actor: string,
  subcategory: documented(int, 'Index into the actor subcategories'),
  score: documented(double, 'The score behind it: quality in [0, 5], else the probability of the class'),
  tokens: documented(long, 'As in Document, so that a cell needs labels alone'),
  version: documented(string, 'Digest of the labeler that made it'),
})
export type Label = RecordValue<typeof Label>

/** What near duplicates of a document are known by. Key: the document's id, so that it shares the document's partition. */
export const Sketch = record('Sketch', 'Band keys of a document: near duplicates share one (docs/duplicates.md)', {
  docId: documentId,
  version: documented(string, 'How it was made: w5b14r8s1 is words of a shingle, bands, rows of a band, seed'),
  keys: documented(array(long), 'Of the bands of its MinHash signature, 53 bits each; none of a text without words'),
})
export type Sketch = RecordValue<typeof Sketch>

/** A gap in a log, that is in what winnow can know of the corpus. Compacted by its name: the last record of a gap is its state. */
export const Gap = record('Gap', 'Records that a topic had lost before a station read them', {
  topic: string,
  partition: int,
  topicId: documented(
    nullable(string),
    'Of the topic as it was when the gap was found; null: the broker could not tell',
  ),
  reason: documented(
    word(['deleted', 'truncated', 'recreated', 'damaged']),
    'deleted: the records from `from` to before `to`; truncated: the log ended at `from`, was read up to `to`; recreated: the topic was made again; damaged: the records from `from` to before `to` are not what was written',
  ),
  from: documented(long, 'The first offset that cannot be read'),
  to: documented(long, 'The first offset after the gap'),
  station: documented(string, 'Who found it'),
  accepted: documented(boolean, 'A person has decided that stations go on behind it'),
})
export type Gap = RecordValue<typeof Gap>

/**
 * Where a station was in the log of a partition: evidence by which it knows the log again, besides the offsets of its group, which Kafka
 * forgets with the topic. Compacted by group and partition.
 */
export const LogPosition = record(
  'LogPosition',
  'Up to where a station knows the log of a partition, and which log that is',
  {
    group: documented(string, 'Consumer group of the station, or the beginning of the names of its groups'),
    station: string,
    topic: string,
    partition: int,
    topicId: documented(string, 'Of the topic as it was'),
    offset: documented(long, 'After the last record that the station had seen'),
    leaderEpoch: documented(nullable(int), "Of that record's batch (KIP-320); null: it had seen none"),
  },
)
export type LogPosition = RecordValue<typeof LogPosition>
