import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync, zstdCompressSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { linesOfFile } from '../../../services/ingest/lines-of-file.ts'
import { openLabeler } from '../../../services/labeler/commands/choice.ts'
import { evaluateCommand } from '../../../services/labeler/commands/evaluate.ts'
import { labelCommand } from '../../../services/labeler/commands/label.ts'
import { trainCommand } from '../../../services/labeler/commands/train.ts'
import { makeToy, type Toy, toyClasses, toyText } from './toy.ts'

let toy: Toy
beforeAll(async () => {
  toy = makeToy()
  await trainCommand(toy.options('topic'))
})
afterAll(() => toy.remove())

const choice = () => ({
  actor: { name: 'topic', subcategories: toyClasses },
  labeler: { kind: 'hashed' as const, model: 'topic' },
  baseFolder: toy.folder,
})

describe('training', () => {
  it('is reproducible to the byte, and records its training data and metrics', async () => {
    const file = await trainCommand(toy.options('again'))
    for (const name of ['model.json', 'weights.bin', 'cross-validation.json']) {
      expect(readFileSync(join(toy.folder, 'again', name))).toEqual(readFileSync(join(toy.folder, 'topic', name)))
    }
    expect(file.metrics).toMatchObject({ accuracy: 1, macroF1: 1, obtained: expect.stringContaining('5-fold') })
    expect(file.training).toMatchObject({
      documents: 120,
      annotations: { rows: 40, sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
    })
    expect(file.auxiliary).toEqual([
      { name: 'theme', classes: ['theme 0', 'theme 1'] },
      { name: 'distilled', classes: toyClasses },
    ])
  })

  it('reads whatever ingest reads: the same rows in other formats, counting blank lines, give the same model', async () => {
    const [first, second] = toy.corpus.map((file) => readFileSync(file))
    const [a, b] = [join(toy.folder, 'a'), join(toy.folder, 'b.parquet')]
    writeFileSync(a, zstdCompressSync(`\ufeff${first}\n\n`))
    const rows = gunzipSync(second!).toString().trim().split('\n')
    const columnData = [
      { name: 'text', data: rows.map((row) => JSON.parse(row).text), type: 'STRING' as const },
      { name: 'meta', data: rows.map((row) => JSON.stringify(JSON.parse(row).meta)), type: 'STRING' as const },
    ]
    writeFileSync(b, new Uint8Array(parquetWriteBuffer({ columnData })))
    await trainCommand({ ...toy.options('formats'), corpus: [a, b] })
    expect(readFileSync(join(toy.folder, 'formats', 'weights.bin'))).toEqual(
      readFileSync(join(toy.folder, 'topic', 'weights.bin')),
    )
    const moved = toy.annotations.replace('annotations', 'moved')
    writeFileSync(a, `\n\n${first}`)
    const lines = readFileSync(toy.annotations, 'utf8')
      .split('\n')
      .map((line) => JSON.parse(line))
    writeFileSync(
      moved,
      lines.map((one) => JSON.stringify({ ...one, line: one.shard === 0 ? one.line + 2 : one.line })).join('\n'),
    )
    await trainCommand({ ...toy.options('moved'), annotations: moved, corpus: [a, b] })
    expect(readFileSync(join(toy.folder, 'moved', 'weights.bin'))).toEqual(
      readFileSync(join(toy.folder, 'topic', 'weights.bin')),
    )
  })

  it('stops the fit when the validation part no longer improves', () => {
    const { training } = JSON.parse(readFileSync(join(toy.folder, 'topic', 'model.json'), 'utf8'))
    expect(training.iterationsUsed).toBeGreaterThan(0)
    expect(training.iterationsUsed).toBeLessThanOrEqual(training.iterations)
  })

  it('learns from n-grams of words and of characters', async () => {
    const file = await trainCommand({ ...toy.options('both'), features: { bits: 12, characterGrams: [3, 4] } })
    expect(file.features).toMatchObject({ wordGrams: 2, characterGrams: [3, 4] })
    expect(file.rows).toBeGreaterThan(JSON.parse(readFileSync(join(toy.folder, 'topic', 'model.json'), 'utf8')).rows)
    expect(file.metrics).toMatchObject({ accuracy: 1 })
  })

  it('uses labels in metadata as evidence if trained to, and reports metrics with and without them', async () => {
    const options = toy.options('trusting')
    const file = await trainCommand({ ...options, fit: { ...options.fit, metadataTrust: 0.9 } })
    expect(file.auxiliary[0]).toMatchObject({ name: 'theme', trust: 0.9 })
    expect(file.metrics).toMatchObject({ accuracy: 1, withMetadata: { accuracy: expect.any(Number) } })
    const labeler = await openLabeler({ ...choice(), labeler: { kind: 'hashed', model: 'trusting' } })
    // A text that says nothing, with each theme and with none that is known.
    const metas = [{ theme: 'theme 0' }, { theme: 'theme 1' }, { theme: 'theme 2' }, null, {}]
    const results = await labeler.label(metas.map((meta) => ({ text: 'and the 3', meta })))
    await labeler.close()
    const probabilityOf = (k: number) =>
      results[k]!.ok && (results[k]!.subcategory === 0 ? results[k]!.score : 1 - results[k]!.score)
    expect(probabilityOf(0)).toBeGreaterThan(probabilityOf(1) as number)
    expect(results[3]).toEqual(results[2])
    expect(results[4]).toEqual(results[2])
  })

  it('writes the confusion matrix beside the model', () => {
    const { confusion, classes } = JSON.parse(readFileSync(join(toy.folder, 'topic', 'cross-validation.json'), 'utf8'))
    expect(classes).toEqual(toyClasses)
    expect(confusion).toEqual([
      [20, 0],
      [0, 20],
    ])
  })

  it.each([
    ['{"shard": 0, "line": 60, "topic": "Sea"}', 'line 60'],
    ['{"shard": 2, "line": 0, "topic": "Sea"}', 'shard 2'],
    ['{"shard": 0, "line": 0, "topic": "Sky"}', '"Sky"'],
    ['{"shard": 0, "line": 0}', 'no field topic'],
    ['{"shard": 0', 'not JSON'],
  ])('refuses the annotation %s by file and line', async (row, what) => {
    const annotations = join(toy.folder, 'bad.jsonl')
    writeFileSync(annotations, `{"shard": 0, "line": 0, "topic": "Sea"}\n${row}\n`)
    await expect(trainCommand({ ...toy.options('bad'), annotations })).rejects.toMatchObject({
      code: 'BAD_DATA',
      exitCode: 5,
      message: expect.stringMatching(new RegExp(`bad\\.jsonl:2: .*${what}`)),
    })
  })

  it('refuses a broken corpus row by file and line, and a truncated .gz by file', async () => {
    const folder = mkdtempSync(join(toy.folder, 'broken-'))
    const rows = join(folder, 'rows.jsonl')
    writeFileSync(rows, '{"text": "fine"}\n{"text": 3}\n')
    await expect(trainCommand({ ...toy.options('bad'), corpus: [rows] })).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringContaining('rows.jsonl:2'),
    })
    const cut = join(folder, 'cut.jsonl.gz')
    writeFileSync(cut, readFileSync(toy.corpus[1]!).subarray(0, -20))
    await expect(trainCommand({ ...toy.options('bad'), corpus: [cut] })).rejects.toMatchObject({
      code: 'BAD_DATA',
      message: expect.stringContaining('cut.jsonl.gz'),
    })
    await expect(trainCommand({ ...toy.options('bad'), corpus: [join(folder, 'no.jsonl')] })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringContaining('no.jsonl'),
    })
    rmSync(folder, { recursive: true })
  })
})

describe('evaluation', () => {
  it('runs the labeler on annotated documents, and warns if it was trained on them', async () => {
    const options = {
      ...choice(),
      task: 'topic',
      kind: 'classification' as const,
      annotations: toy.annotations,
      corpus: toy.corpus,
    }
    expect(await evaluateCommand(options)).toEqual({
      documents: 40,
      unlabelled: 0,
      metrics: { accuracy: 1, macroF1: 1 },
      calibration: { expectedError: expect.any(Number), bins: expect.any(Array) },
      confusion: [
        [20, 0],
        [0, 20],
      ],
      trainedOnThese: true,
    })
    const others = join(toy.folder, 'others.jsonl')
    writeFileSync(others, '{"shard": 1, "line": 1, "topic": "Code"}\n{"shard": 0, "line": 2, "topic": "Code"}\n')
    expect(await evaluateCommand({ ...options, annotations: others })).toMatchObject({
      documents: 2,
      metrics: { accuracy: 0.5 },
      trainedOnThese: false,
    })
  })
})

describe('labelling rows', () => {
  async function* chunks(text: string) {
    const bytes = Buffer.from(text)
    for (let from = 0; from < bytes.length; from += 7) yield bytes.subarray(from, from + 7)
  }

  async function run(text: string, options = choice()) {
    const labels: string[] = []
    const rejects: string[] = []
    const counts = await labelCommand(
      options,
      linesOfFile('-', { standardInput: chunks(text) }),
      async (part) => void labels.push(part),
      async (part) => void rejects.push(part),
    )
    const parse = (parts: string[]) =>
      parts
        .join('')
        .split('\n')
        .filter(Boolean)
        .map((row) => JSON.parse(row))
    return { counts, labels: parse(labels), rejects: parse(rejects) }
  }

  it('writes a label for each row, in order, and counts and explains the rows it cannot label', async () => {
    const rows = [
      JSON.stringify({ text: `${toyText(0, 900)}\u2028`, meta: {} }),
      'not JSON',
      JSON.stringify({ meta: {} }),
      JSON.stringify({ text: toyText(1, 901) }),
      '',
    ]
    const { counts, labels, rejects } = await run(rows.join('\n'))
    expect(labels).toEqual([
      { line: 0, subcategory: 'Sea', index: 0, score: expect.any(Number) },
      { line: 3, subcategory: 'Code', index: 1, score: expect.any(Number) },
    ])
    expect(rejects).toEqual([
      { line: 1, reason: 'not-json', message: expect.stringContaining('not JSON') },
      { line: 2, reason: 'no-text', message: expect.stringContaining("'text'") },
    ])
    expect(counts).toEqual({ labelled: 2, rejected: 2 })
  })

  it('says why if not one of the rows has a text', async () => {
    const { counts } = await run('{"content": "a"}\n{"content": "b"}\n')
    expect(counts).toEqual({ labelled: 0, rejected: 2, unreadable: "the row has no 'text'" })
  })

  it('keeps the order across batches', async () => {
    const { labels } = await run(
      Array.from({ length: 1200 }, (_, i) => JSON.stringify({ text: toyText(i % 2, i) })).join('\n'),
    )
    expect(labels.map(({ line, index }) => [line, index])).toEqual(Array.from({ length: 1200 }, (_, i) => [i, i % 2]))
  })

  it('refuses a configuration with unknown keys before it reads a row', async () => {
    const labeler = { kind: 'hashed' as const, model: 'topic', thread: 2 }
    await expect(run('', { ...choice(), labeler })).rejects.toMatchObject({
      code: 'CONFIGURATION',
      exitCode: 3,
      message: expect.stringContaining('thread'),
    })
  })
})

describe('a model of scores beyond 0 to 5, such as predicted influence', () => {
  it('is trained, labels with scores as they are, and is evaluated by its ranges', async () => {
    const truth = readFileSync(toy.annotations, 'utf8')
      .split('\n')
      .map((line) => JSON.parse(line))
      .map(({ topic, ...place }) => JSON.stringify({ ...place, influence: topic === toyClasses[0] ? 1.5 : -1.5 }))
    const annotations = join(toy.folder, 'influence.jsonl')
    writeFileSync(annotations, truth.join('\n'))
    await trainCommand({ ...toy.options('influence', 'quality'), annotations, task: 'influence' })
    const ranges = { bad: { to: 0 }, good: { from: 0 } }
    const options = {
      actor: { name: 'influence', subcategories: Object.keys(ranges) },
      labeler: { kind: 'hashed' as const, model: 'influence', ranges },
      baseFolder: toy.folder,
    }
    const labeler = await openLabeler(options)
    const [good, bad] = await labeler.label([0, 1].map((topic) => ({ text: toyText(topic, 3), meta: {} })))
    await labeler.close()
    expect(good).toMatchObject({ ok: true, subcategory: 1, score: expect.closeTo(1.5, 0) })
    expect(bad).toMatchObject({ ok: true, subcategory: 0, score: expect.closeTo(-1.5, 0) })
    expect(await evaluateCommand({ ...options, annotations, corpus: toy.corpus })).toMatchObject({
      metrics: { accuracy: 1, macroF1: 1 },
    })
    await expect(
      openLabeler({ ...options, labeler: { kind: 'hashed', model: 'topic', ranges } }),
    ).rejects.toMatchObject({ code: 'CONFIGURATION', message: expect.stringContaining('gives classes') })
  })
})
