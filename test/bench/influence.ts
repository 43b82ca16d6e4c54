/**
 * Rewards a second on this machine, against PyTorch computing the same projected gradients on as many threads, and two workers against
 * one; memory against its bound. Run by hand on a quiet machine: node test/bench/influence.ts [python with torch, or none] [documents] [rounds].
 * Without a Python only the rest is measured. Rounds take turns, and the median of the rounds' ratios counts: a busy machine slows all.
 */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { demoGraphs } from '../../deploy/demo/model.ts'
import { createInfluence } from '../../services/model/influence.ts'
import { openModel } from '../../services/model/model.ts'
import { projections } from '../../services/model/projection.ts'
import { sizeOf, writeSafetensors } from '../../services/model/safetensors.ts'
import { documentWindows, type Sequence } from '../../services/model/sequences.ts'
import { initialWeights } from '../../services/model/weights.ts'

const threads = 2
const context = 128
const seed = 'bench'
const [pythonGiven, documentsText = '48', roundsText = '5'] = process.argv.slice(2)
/** none: without PyTorch. */
const python = pythonGiven === 'none' ? undefined : (pythonGiven ?? process.env.WINNOW_PYTHON)
const [documentCount, rounds] = [Number(documentsText), Number(roundsText)]

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const names = ['one', 'two', 'eager', 'between', 'vmap'] as const
type Timed = (typeof names)[number]
const median = (values: readonly number[]) => values.toSorted((a, b) => a - b)[values.length >> 1]!
const perSecond = (spent: readonly Spent[]) => (documentCount / median(spent.map(({ seconds }) => seconds))).toFixed(1)
const cpuEach = (spent: readonly Spent[]) =>
  `${((1000 * median(spent.map(({ cpu }) => cpu))) / documentCount).toFixed(1)} ms`

interface Spent {
  seconds: number
  /** Seconds of all threads together: what others do on the machine changes it little. */
  cpu: number
}

async function timed<T>(work: () => Promise<T>): Promise<[T, Spent]> {
  const [began, before] = [performance.now(), process.cpuUsage()]
  const result = await work()
  const { user, system } = process.cpuUsage(before)
  return [result, { seconds: (performance.now() - began) / 1000, cpu: (user + system) / 1e6 }]
}

/** Most fill the context, as most documents of a corpus do; the others are of any length. */
const random = (i: number) => ((Math.imul(i + 1, 0x9e3779b1) >>> 0) % 100_003) / 100_003
const documents = Array.from({ length: documentCount }, (_, d) => {
  const length = d % 4 === 0 ? 16 + Math.floor(random(d) * 110) : context + 40
  return Array.from({ length }, (_, i) => 1 + Math.floor(random(1000 * d + i) * 4094))
})
const reference: Sequence[] = documents.slice(0, 16).map((document) => documentWindows(document, context, 1)[0]!)

// Two checkpoints fit, and no third.
const first = await openModel({ graphs: demoGraphs })
const checkpointBytes = 4 * first.description.parameters.reduce((sum, { shape }) => sum + sizeOf(shape), 0)
await first.close()
const model = await openModel({ graphs: demoGraphs, checkpointBytesMax: 2 * checkpointBytes })
const checkpointOf = async (n: number) => {
  const path = join(folder, `${n}.safetensors`)
  return { path, digest: (await writeSafetensors(path, initialWeights(model.description, `${seed} ${n}`))).digest }
}
const checkpoint = await checkpointOf(0)

interface Peer {
  ask(what: 'eager' | 'vmap'): Promise<Spent>
  close(): void
}

/** The PyTorch process, once its answers are seen to be the same. */
async function startPeer(path: string): Promise<Peer> {
  const windows = documents.map((document) => documentWindows(document, context, 1)[0]!)
  const worker = model.startWorker()
  const { phi } = await worker.call('gradients', { checkpoint, projectionSeed: seed, sequences: windows })
  const [signs, answers, job] = ['signs.safetensors', 'answers.safetensors', 'job.json'].map((name) =>
    join(folder, name),
  )
  await writeSafetensors(signs!, projections(model.description, seed))
  const shape = [windows.length, phi.length / windows.length]
  await writeSafetensors(answers!, [['phi', { shape, data: phi }]])
  const ids = windows.map((window) => [...window.ids])
  const { config } = model.description
  const content = { threads, config, checkpoint: checkpoint.path, projections: signs, answers, documents: ids }
  writeFileSync(job!, JSON.stringify(content))
  const child = spawn(path, [join(import.meta.dirname, 'influence_torch.py'), job!], {
    stdio: ['pipe', 'pipe', 'ignore'],
    env: { ...process.env, OMP_NUM_THREADS: String(threads) },
  })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const answer = async () => {
    const { value, done } = await lines.next()
    if (done === true) throw new Error('PyTorch has ended; run influence_torch.py by hand to see why')
    return JSON.parse(value)
  }
  for (let i = 0; i < 2; i++) {
    const { what, batch, error } = await answer()
    console.log(`PyTorch ${what}: fastest in batches of ${batch}; its gradients differ by ${error.toExponential(1)}`)
    if (!(error < 1e-4)) throw new Error('these are not the same gradients')
  }
  return {
    ask: async (what) => {
      child.stdin.write(`${what}\n`)
      return await answer()
    },
    close: () => child.stdin.end(),
  }
}

try {
  const one = createInfluence(model, { projectionSeed: seed, normalize: 'cosine', context })
  const two = createInfluence(model, { projectionSeed: seed, normalize: 'cosine', context, workers: threads })
  const [atOne, firstSpent] = await timed(() => one.at(checkpoint, [reference]))
  const [, againSpent] = await timed(() => one.at(checkpoint, [reference]))
  const atTwo = await two.at(checkpoint, [reference])
  // A first round warms up.
  const [a, b] = [await atOne.score(documents), await atTwo.score(documents)]
  if (a.some((reward, i) => reward !== b[i])) throw new Error('two workers answer otherwise than one')
  const peer = python === undefined ? undefined : await startPeer(python)

  // `between` runs between the two of PyTorch, so that what disturbs one disturbs the other.
  const spent = Object.fromEntries(names.map((name) => [name, [] as Spent[]])) as Record<Timed, Spent[]>
  const run = async (name: Timed, work: () => Promise<Spent>) => spent[name].push(await work())
  for (let round = 0; round < rounds; round++) {
    await run('one', async () => (await timed(() => atOne.score(documents)))[1])
    await run('two', async () => (await timed(() => atTwo.score(documents)))[1])
    if (peer === undefined) continue
    await run('eager', () => peer.ask('eager'))
    await run('between', async () => (await timed(() => atTwo.score(documents)))[1])
    await run('vmap', () => peer.ask('vmap'))
  }
  peer?.close()
  const times = (slow: readonly Spent[], fast: readonly Spent[]) =>
    median(slow.map((value, i) => value.seconds / fast[i]!.seconds)).toFixed(2)
  console.log(`documents/s, ${documentCount} documents, median of ${rounds} rounds: one worker ${perSecond(spent.one)}`)
  console.log(`two workers ${perSecond(spent.two)}: ${times(spent.one, spent.two)} times one; wanted 1.8`)
  if (peer !== undefined)
    for (const what of ['eager', 'vmap'] as const)
      console.log(
        `PyTorch ${what}, ${threads} threads: ${perSecond(spent[what])}; two workers, ${perSecond(spent.between)}, are ${times(spent[what], spent.between)} times as fast; wanted 1.0; CPU a document ${cpuEach(spent[what])} against ${cpuEach(spent.between)}`,
      )
  console.log(
    `reference of ${reference.length} samples: ${firstSpent.seconds.toFixed(2)} s at a new checkpoint, ${(1000 * againSpent.seconds).toFixed(1)} ms again`,
  )

  const before = process.memoryUsage.rss()
  const checkpoints = 24
  for (let n = 1; n <= checkpoints; n++) await two.at(await checkpointOf(n), [reference.slice(0, 2)])
  globalThis.gc?.()
  const grown = (process.memoryUsage.rss() - before) / 2 ** 20
  const all = (checkpoints * checkpointBytes) / 2 ** 20
  console.log(
    `memory: ${grown.toFixed(0)} MiB more after ${checkpoints} checkpoints of ${all.toFixed(0)} MiB in all, of which ${((2 * checkpointBytes) / 2 ** 20).toFixed(0)} MiB may stay`,
  )
} finally {
  await model.close()
  rmSync(folder, { recursive: true })
}
