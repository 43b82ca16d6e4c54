import { execFile } from 'node:child_process'
import { symlinkSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { DecodeError } from '../../../services/runtime/codec.ts'
import { codec, MemoryKafka, text } from './memory-kafka.ts'
import { folder, row, rows, run } from './support.ts'

describe('it is an error before anything is written', () => {
  test('when files have an unsupported format; all of them are named', async () => {
    const kafka = new MemoryKafka()
    const lfs = 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n'
    const path = folder({ 'a.jsonl': row('a'), 'b.parquet': lfs, 'c.jsonl.gz': '<html>', 'd.jsonl': '[{"text":"d"}]' })
    await expect(run(kafka, [path])).rejects.toMatchObject({
      code: 'CONFIGURATION',
      message: expect.stringMatching(
        /b\.parquet is a Git LFS pointer.*c\.jsonl\.gz is an HTML.*d\.jsonl is a JSON array/,
      ),
      hint: expect.stringMatching(/git lfs pull.*download.*jq -c '\.\[\]'/),
    })
    expect(kafka.topics.size).toBe(0)
  })

  test('when a path is missing', async () => {
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': rows(1) })
    await expect(run(kafka, [path, join(path, 'missing.jsonl')])).rejects.toMatchObject({ code: 'CONFIGURATION' })
    expect(kafka.topics.size).toBe(0)
  })

  test('when two files have the same name', async () => {
    const [one, two] = [folder({ 'a.jsonl': rows(1) }), folder({ 'a.jsonl': rows(2) })]
    await expect(run(new MemoryKafka(), [one, two])).rejects.toThrow(/would both be the source 'a.jsonl'/)
  })

  test('when a folder holds nothing to read', async () => {
    await expect(run(new MemoryKafka(), [folder({ 'a.txt': 'x' })])).rejects.toThrow(/no \.jsonl/)
  })

  test('when a link leads out of the folder, or something is not a regular file', async () => {
    const [inside, outside] = [folder({ 'a.jsonl': row('x') }), folder({ 'secret.jsonl': row('secret') })]
    symlinkSync(join(outside, 'secret.jsonl'), join(inside, 'b.jsonl'))
    await expect(run(new MemoryKafka(), [inside])).rejects.toThrow(/b\.jsonl leads out of/)
    const odd = folder({ 'a.jsonl': row('x') })
    await promisify(execFile)('mkfifo', [join(odd, 'pipe.jsonl')])
    await expect(run(new MemoryKafka(), [odd])).rejects.toThrow(/pipe\.jsonl is no file/)
    await expect(run(new MemoryKafka(), [join(odd, 'pipe.jsonl')])).rejects.toMatchObject({
      message: expect.stringContaining('pipe.jsonl is not a file but a pipe'),
      hint: expect.stringContaining('| winnow ingest --name NAME -'),
    })
    const linked = folder({ 'a.jsonl': row('x') })
    symlinkSync('a.jsonl', join(linked, 'b.jsonl'))
    const kafka = new MemoryKafka()
    await run(kafka, [linked])
    expect(text(kafka)).toEqual(['x', 'x'])
  })

  test('when the state of a source cannot be read', async () => {
    const codecOfNothing = {
      ...codec,
      decodeAs: () => {
        throw new DecodeError('bad-framing', 'no record')
      },
    }
    const kafka = new MemoryKafka()
    const path = folder({ 'a.jsonl': rows(1) })
    await run(kafka, [path])
    await expect(run(kafka, [path], { codec: codecOfNothing })).rejects.toThrow('winnow.sources[0]@0 is no source')
    expect(kafka.documents).toHaveLength(1)
  })

  test('when the tokenizer cannot be loaded', async () => {
    const tokens = { kind: 'tokenizer', path: 'missing.json' } as const
    await expect(run(new MemoryKafka(), [folder({ 'a.jsonl': rows(1) })], { tokens })).rejects.toMatchObject({
      code: 'MODEL_UNUSABLE',
    })
  })
})
