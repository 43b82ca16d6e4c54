import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { corpusInBackground } from '../../../deploy/demo/corpus-in-background.ts'

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-demo-corpus-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, 'texts')
}

test('an existing corpus is used as it is', async () => {
  const folder = emptyFolder()
  mkdirSync(folder)
  writeFileSync(join(folder, 'manifest.json'), '{"digest":"d"}')
  const corpus = corpusInBackground(folder)
  expect([corpus.isNew, await corpus.manifest]).toEqual([false, { digest: 'd' }])
  await corpus.close()
})

test('a missing corpus is built in the background, and is complete when it is announced', async () => {
  const folder = emptyFolder()
  const corpus = corpusInBackground(folder)
  expect(corpus.isNew).toBe(true)
  const { corpus: counts } = await corpus.manifest
  expect(counts.documents).toBeGreaterThan(5000)
  expect([...counts.files, join(folder, 'manifest.json')].every((file) => existsSync(file))).toBe(true)
  await corpus.close()
}, 60_000)

test('a build that is cancelled is not announced and leaves no manifest behind', async () => {
  const folder = emptyFolder()
  const corpus = corpusInBackground(folder)
  await corpus.close()
  await expect(corpus.manifest).rejects.toThrow('building the corpus was given up')
  expect(existsSync(join(folder, 'manifest.json'))).toBe(false)
})
