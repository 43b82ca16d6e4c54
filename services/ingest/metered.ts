import { topics } from '../../schemas/index.ts'
import type { Metrics } from '../runtime/metrics/metrics.ts'
import type { IngestProgress } from './progress.ts'

/** Counts bytes on their way to the terminal. */
export function metered(progress: IngestProgress, metrics: Metrics | undefined): IngestProgress {
  if (metrics === undefined) return progress
  const counts = { documents: 0, rejected: 0 }
  const meter = metrics.station({
    station: 'ingest',
    stats: () => ({
      read: {},
      written: { [topics.documents.name]: counts.documents },
      deadLetters: counts.rejected,
      retries: 0,
    }),
    lagOf: async () => [],
  })
  return {
    ...progress,
    wrote: (documents, rejected) => {
      counts.documents += documents
      counts.rejected += rejected
      progress.wrote(documents, rejected)
    },
    end: () => {
      progress.end()
      meter.close()
    },
  }
}
