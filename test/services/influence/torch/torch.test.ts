import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { pythonWith } from '../../../support/python.ts'

const folder = join(import.meta.dirname, '../../../../services/influence/torch')
const modules = ['torch', 'transformers', 'confluent_kafka', 'fastavro', 'tokenizers']
const { python, missing } = pythonWith('services/influence/torch', modules)
const title = missing === undefined ? 'the PyTorch worker' : `the PyTorch worker (skipped: ${missing})`

describe.skipIf(missing !== undefined)(title, { timeout: 120_000 }, () => {
  it('exits with a usage message if run or brokers are missing', async () => {
    const env = { ...process.env, WINNOW_BROKERS: '', WINNOW_REGISTRY_URL: '', PYTHONDONTWRITEBYTECODE: '1' }
    const call = promisify(execFile)(python!, ['-m', 'winnow_torch', '--run', 'r'], { cwd: folder, env })
    await expect(call).rejects.toMatchObject({ code: 2, stderr: expect.stringContaining('--brokers is missing') })
  })
})

it('the PyTorch worker and the export tool pin every package, and agree on those they share', async () => {
  const pins = async (path: string) => {
    const lines = (await readFile(join(folder, path), 'utf8')).trim().split('\n')
    return new Map(lines.filter((line) => !line.startsWith('#')).map((line) => line.split('==') as [string, string]))
  }
  const [own, exporting] = [await pins('requirements.txt'), await pins('../export/requirements.txt')]
  for (const version of own.values()) expect(version).toMatch(/^[0-9.]+$/)
  for (const [name, version] of exporting) if (own.has(name)) expect(own.get(name)).toBe(version)
  expect(own.has('torch')).toBe(true)
})
