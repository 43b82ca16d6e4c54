import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { demoGraphs } from '../../../deploy/demo/model.ts'
import { type Model, openModel } from '../../../services/model/model.ts'
import { type TrainerPorts, train } from '../../../services/trainer/trainer.ts'
import { parityRun } from '../../support/memory-runtime.ts'

const folder = mkdtempSync(join(tmpdir(), 'winnow-checkpoint-'))
let model: Model
beforeAll(async () => {
  model = await openModel({ graphs: demoGraphs })
})
afterAll(async () => {
  await model.close()
  rmSync(folder, { recursive: true })
})

/** A header of a tensor of `elements` float32 values, and `bytes` bytes of data. */
function safetensors(elements: number, bytes: number): Buffer {
  const tensor = { dtype: 'F32', shape: [elements], data_offsets: [0, 4 * elements] }
  const header = Buffer.from(JSON.stringify({ __metadata__: {}, w: tensor }))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(header.length))
  return Buffer.concat([length, header, Buffer.alloc(bytes)])
}

const damages: [string, Buffer][] = [
  ['is empty', Buffer.alloc(0)],
  ['ends in its length', Buffer.alloc(5)],
  ['ends in its header', safetensors(4, 16).subarray(0, 20)],
  ['ends in its data', safetensors(4, 7)],
  ['holds something else', Buffer.from('<!doctype html><title>502 Bad Gateway</title>')],
  ['is of another model', safetensors(4, 16)],
]
test.each(damages)('a last checkpoint that %s is reported at once, with the file to remove', async (what, bytes) => {
  const checkpoints = join(folder, what.replaceAll(' ', '-'))
  const file = join(checkpoints, 'r', 'step-00000002.safetensors')
  mkdirSync(join(checkpoints, 'r'), { recursive: true })
  writeFileSync(file, bytes)
  // Nothing but the model is asked for before the checkpoint is read.
  const ports = { model } as TrainerPorts
  const failure = train(parityRun('r', {}, { checkpoints }), ports, new AbortController().signal)
  await expect(failure).rejects.toMatchObject({
    code: 'BAD_DATA',
    message: expect.stringContaining(file),
    hint: expect.stringContaining(`Remove the file (rm ${file}) and start again`),
  })
})
