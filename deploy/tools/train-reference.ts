import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { readRows } from '../../services/labeler/training/rows.ts'
import { openModel } from '../../services/model/model.ts'
import { readSafetensors, writeSafetensors } from '../../services/model/safetensors.ts'
import { documentWindows } from '../../services/model/sequences.ts'
import { createTrainer } from '../../services/model/trainer.ts'
import { createLog } from '../../services/runtime/log.ts'
import { packBatches } from '../../services/trainer/packer.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

const name = 'llama-64x2'
const context = 256
const batch = 8
const totalSteps = 2000
const heldOut = 100

/**
 * Trains the reference model of the labeler perplexity, `shipped:llama-64x2`: `node deploy/tools/train-reference.ts FOLDER`, where FOLDER has
 * the corpus's *.jsonl.gz. The documents are read once, in an order by splitmix64 of their number; one thread, so that the weights are the
 * same to the bit on one processor.
 */
async function main(folder: string): Promise<void> {
  const log = createLog('train-reference')
  const files = readdirSync(folder).filter((file) => file.endsWith('.jsonl.gz'))
  const texts: string[] = []
  for await (const { text } of readRows(files.sort().map((file) => join(folder, file)))) texts.push(text)
  const order = texts.map((text, i) => ({ text, key: splitmix64(BigInt(i)) })).sort((a, b) => (a.key < b.key ? -1 : 1))
  await using model = await openModel({ graphs: `shipped:${name}` })
  const { tokenizer } = model
  const evaluation = (await tokenizer.encodeAll(order.slice(0, heldOut).map(({ text }) => text))).flatMap((tokens) =>
    documentWindows(tokens, context, 1, 0, tokenizer.endOfText),
  )
  const trainer = await createTrainer(model, {
    ...{ start: { seed: '0' }, batch, context, learningRate: 3e-3, warmupSteps: 200, totalSteps },
  })
  const tokens = async function* () {
    for (const { text } of order.slice(heldOut)) yield await tokenizer.encode(text)
  }
  for await (const { ids } of packBatches(tokens(), { batch, context, end: tokenizer.endOfText })) {
    const { loss } = await trainer.step(ids)
    if (trainer.steps % 250 === 0)
      log.info({ step: trainer.steps, loss, heldOut: (await trainer.evaluate(evaluation)).loss }, 'trained')
    if (trainer.steps === totalSteps) break
  }
  const work = mkdtempSync(join(tmpdir(), 'winnow-reference-'))
  const whole = join(work, 'checkpoint.safetensors')
  await trainer.save(whole)
  const { tensors } = await readSafetensors(whole)
  const weights = [...tensors].filter(([tensor]) => !/^[mv]\./.test(tensor))
  const out = fileURLToPath(new URL(`../../services/model/shipped/${name}/weights.safetensors`, import.meta.url))
  await writeSafetensors(out, new Map(weights), { steps: `${trainer.steps}` })
  rmSync(work, { recursive: true })
  await trainer.close()
  log.info({ out }, 'written')
}

await main(process.argv[2] ?? '.')
