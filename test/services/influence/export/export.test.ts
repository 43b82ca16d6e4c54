import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { CheckpointStore } from '../../../../services/model/checkpoints/store.ts'
import { readDescription } from '../../../../services/model/description.ts'
import { openModel } from '../../../../services/model/model.ts'
import { readSafetensors, writeSafetensors } from '../../../../services/model/safetensors.ts'
import { ModelWorker } from '../../../../services/model/worker/client.ts'
import { pythonWith } from '../../../support/python.ts'

const tool = join(import.meta.dirname, '../../../../services/influence/export')
const { python, missing } = pythonWith('services/influence/export', [
  'torch',
  'transformers',
  'onnxscript',
  'tokenizers',
])
const title = missing === undefined ? 'the export tool' : `the export tool (skipped: ${missing})`
const run = promisify(execFile)

describe.skipIf(missing !== undefined)(title, { timeout: 300_000 }, () => {
  let folder: string
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'winnow-export-'))
  })
  afterAll(() => rmSync(folder, { recursive: true, force: true }))

  it('refuses models that its graphs would compute wrongly, and says what to do', async () => {
    const env = { ...process.env, PYTHONPATH: tool, PYTHONDONTWRITEBYTECODE: '1' }
    const { stderr } = await run(python!, ['-m', 'unittest', 'test_refusals'], { cwd: import.meta.dirname, env })
    expect(stderr).toMatch(/Ran 1\d tests/)
    expect(stderr).toMatch(/OK\s*$/)
  })

  it('exits with 3 and one sentence if the folder holds no model', async () => {
    const call = run(python!, [join(tool, 'export.py'), '--model', folder, '--out', join(folder, 'none')])
    await expect(call).rejects.toMatchObject({ code: 3, stderr: expect.stringContaining('config.json is missing') })
  })

  it('exports a sharded checkpoint once; its graphs serve every later checkpoint', async () => {
    const made = await run(python!, [join(import.meta.dirname, 'make_model.py'), folder])
    const { ids, losses } = JSON.parse(made.stdout.trim().split('\n').at(-1)!) as { ids: number[]; losses: number[] }
    const [model, out] = [join(folder, 'model'), join(folder, 'graphs')]
    await run(python!, [join(tool, 'export.py'), '--model', model, '--out', out, '--k-in', '4', '--k-out', '2'])

    const description = await readDescription(out)
    const names = description.parameters.map(({ name }) => name)
    expect(names.slice(0, 2)).toEqual(['wte.weight', 'wpe.weight'])
    expect(description.projection.modules.map(({ name }) => name)).toContain('h.0.attn.c_attn')
    const written = JSON.parse(await readFile(join(out, 'model.json'), 'utf8'))
    expect(written.endOfText).toBe(5)
    expect(written.projection.modules[0]).toMatchObject({ inSize: 32, outSize: 96, transposed: true })

    const opened = await openModel({ graphs: out })
    expect(opened.tokenizer.endOfText).toBe(5)
    expect([...(await opened.tokenizer.encode('w3 w4'))]).toEqual([3, 4])
    await opened.close()

    const worker = new ModelWorker({ folder: out, threads: 1 }, new CheckpointStore(description, 2 ** 28))
    const sequence = { ids: Int32Array.from(ids), mask: new Float32Array(ids.length).fill(1) }
    for (const [i, path] of [await oneFile(model, folder), join(folder, 'later.safetensors')].entries()) {
      const { digest } = await readSafetensors(path)
      const answer = await worker.call('gradients', {
        checkpoint: { path, digest },
        projectionSeed: '1',
        sequences: [sequence],
      })
      expect(answer.losses[0]).toBeCloseTo(losses[i]!, 5)
      expect(answer.phi).toHaveLength(4 * 2 * 4)
    }
    expect(losses[0]).not.toBeCloseTo(losses[1]!, 3)
    await worker.close()
  })
})

/** The shards' tensors in one file. */
async function oneFile(model: string, folder: string): Promise<string> {
  const shards = ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors']
  const files = await Promise.all(shards.map((name) => readSafetensors(join(model, name))))
  const path = join(folder, 'whole.safetensors')
  await writeSafetensors(
    path,
    files.flatMap(({ tensors }) => [...tensors]),
  )
  return path
}
