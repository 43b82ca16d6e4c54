export type { RecordType, RecordValue } from './record.ts'
export * from './records/corpus.ts'
export * from './records/run.ts'
export * from './topics.ts'
