import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import type { TrainCommandOptions } from '../../../services/labeler/commands/train.ts'

/** A corpus with two plain topics in two files, of which the web pages (even lines) have the topic in their metadata, and all are annotated. */
export interface Toy {
  folder: string
  corpus: string[]
  annotations: string
  options(out: string, task?: 'topic' | 'quality'): TrainCommandOptions
  remove(): void
}

export const toyClasses = ['Sea', 'Code']
const words = [
  ['harbour', 'wave', 'sailor', 'tide', 'gull', 'anchor'],
  ['function', 'return', 'compile', 'variable', 'pointer', 'stack'],
]

/** Six words of a topic, another choice for every `i`, and filler that says nothing. */
export function toyText(topic: number, i: number): string {
  const own = words[topic]!
  return Array.from({ length: 6 }, (_, k) => `${own[(i * (k + 2) + k) % own.length]} and the ${i % 7}`).join(' ')
}

export function makeToy(): Toy {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-toy-'))
  const corpus = [join(folder, 'a.jsonl'), join(folder, 'b.jsonl.gz')]
  const annotations = join(folder, 'annotations.jsonl')
  const truth: string[] = []
  for (const [shard, file] of corpus.entries()) {
    const rows = Array.from({ length: 60 }, (_, line) => {
      const topic = line % 2
      // Every third document is annotated; the others have an auxiliary label.
      if (line % 3 === 0)
        truth.push(JSON.stringify({ shard, line, topic: toyClasses[topic], quality: topic === 0 ? 4.5 : 0.5 }))
      return JSON.stringify({
        text: toyText(topic, line + shard),
        meta: line % 3 === 0 ? {} : { theme: `theme ${topic}` },
      })
    })
    const bytes = Buffer.from(`${rows.join('\n')}\n`)
    writeFileSync(file, file.endsWith('.gz') ? gzipSync(bytes) : bytes)
  }
  writeFileSync(annotations, truth.join('\n'))
  return {
    folder,
    corpus,
    annotations,
    options: (out, task = 'topic') => ({
      task,
      kind: task === 'topic' ? 'classification' : 'regression',
      classes: task === 'topic' ? toyClasses : [],
      annotations,
      corpus,
      out: join(folder, out),
      auxiliaryFields: ['theme'],
      features: { bits: 12 },
      fit: { documentsMin: 2, iterations: 60, l2: 1e-3 },
    }),
    remove: () => rmSync(folder, { recursive: true }),
  }
}
