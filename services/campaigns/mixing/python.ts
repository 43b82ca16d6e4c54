import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { createInterface } from 'node:readline'
import { z } from 'zod'
import type { Campaign, DocumentId, ProxyResult } from '../../../schemas/index.ts'
import { recordedOptions } from '../../../topologies/mixing/options.ts'
import { recordedConfig } from '../../../topologies/run-config.ts'
import { graphsFolder } from '../../model/shipped.ts'
import { type ErrorCode, errorCodes, WinnowError } from '../../runtime/errors.ts'
import { makeFolder } from '../../runtime/make-folder.ts'
import { checkpointPath } from '../../trainer/checkpoints.ts'
import type { ProxyPorts } from '../train-proxy.ts'
import { domainsOf } from './learn.ts'

const program = join(import.meta.dirname, '../../trainer/python/examples/campaign.py')
const documentsPerFetch = 256

const numbers = z.array(z.number())
const Result = z.object({
  ...{ shares: numbers, last: numbers, updates: z.int(), course: z.array(numbers) },
  ...{ loss: z.number(), corpusLoss: z.number() },
})
const Line = z.union([z.object({ share: z.number() }), z.object({ result: Result })])

/**
 * What `learnMixture` does, by PyTorch in a process of its own, which ends with this one. It writes ten checkpoints a stage into its folder beside the run's
 * checkpoints, and goes on from the last one.
 * @param python that `findPython` found
 */
export async function learnByPython(
  campaign: Campaign,
  ports: ProxyPorts,
  python: string,
  signal: AbortSignal,
): Promise<ProxyResult> {
  const run = recordedConfig({ run: campaign.campaign, config: campaign.config })
  const beganMs = ports.clock()
  const { domains, prior } = await domainsOf(campaign, ports)
  const present = prior.flatMap((tokens, d) => (tokens > 0 ? [d] : []))
  const folder = dirname(checkpointPath(run.checkpoints, `${campaign.campaign}-python`, 0))
  const names = present.map((d) => `rows-${d}.jsonl`)
  const rows = await Promise.all(present.map((d) => rowsOf(domains[d]!, ports)))
  const { method, ...options } = recordedOptions(campaign)
  const { reward, corpus, samplesMax } = run.reference
  const job = {
    ...{ method, options, steps: run.steps, seed: `${run.selection.seed}`, trainer: run.trainer },
    ...{ model: graphsFolder(run.model), reward, corpus, samplesMax },
    ...{ rows: names, prior: present.map((d) => prior[d]!) },
    digests: rows.map((text) => createHash('sha256').update(text).digest('hex')),
  }
  prepare(folder, JSON.stringify(job), new Map(names.map((name, at) => [name, rows[at]!])))
  const { shares, last, updates, course, loss, corpusLoss } = await answerOf(python, folder, ports, signal)
  rmSync(folder, { recursive: true, force: true })
  const spread = (some: readonly number[]) => prior.map((_, d) => (present.includes(d) ? some[present.indexOf(d)]! : 0))
  return {
    ...{ campaign: campaign.campaign, proxy: 0, shares: spread(shares), loss, corpusLoss, curve: [] },
    seconds: (ports.clock() - beganMs) / 1000,
    learned: { updates, last: spread(last), course: course.map(spread) },
  }
}

/** Documents as rows, in order. */
async function rowsOf(ids: BigUint64Array, { store }: ProxyPorts): Promise<string> {
  const rows: string[] = []
  for (let from = 0; from < ids.length; from += documentsPerFetch) {
    const page = [...ids.subarray(from, from + documentsPerFetch)] as DocumentId[]
    const texts = await store.texts(page)
    for (const id of page) {
      const text = texts.get(id)
      if (text === undefined)
        throw new WinnowError('GUARANTEE_VIOLATED', `selected document ${id} has no text in the corpus store`)
      rows.push(JSON.stringify({ text }))
    }
  }
  return `${rows.join('\n')}\n`
}

/** Leaves the checkpoints of the same job there; those of another, such as an earlier campaign of this name, are removed. */
function prepare(folder: string, job: string, rows: ReadonlyMap<string, string>): void {
  const file = join(folder, 'job.json')
  if (existsSync(file) && readFileSync(file, 'utf8') === job) return
  rmSync(folder, { recursive: true, force: true })
  makeFolder(folder)
  for (const [name, text] of rows) writeFileSync(join(folder, name), text)
  // Last: where it stands, the rows are whole.
  writeFileSync(file, job)
}

async function answerOf(
  python: string,
  folder: string,
  { onShare }: ProxyPorts,
  signal: AbortSignal,
): Promise<z.infer<typeof Result>> {
  signal.throwIfAborted()
  // One thread: the bits depend on their number. The program ends when its standard input does, however we end.
  const env = { ...process.env, OMP_NUM_THREADS: '1', PYTHONDONTWRITEBYTECODE: '1' }
  const child = spawn(python, [program, folder], { env, stdio: ['pipe', 'pipe', 'pipe'] })
  const ended = new Promise<number | null>((resolve) => {
    child.once('close', resolve)
    child.once('error', () => resolve(null))
  })
  const stop = () => child.kill('SIGKILL')
  signal.addEventListener('abort', stop, { once: true })
  let said = ''
  child.stderr.on('data', (some: Buffer) => {
    said = `${said}${some}`.slice(-4000)
  })
  let result: z.infer<typeof Result> | undefined
  for await (const line of createInterface({ input: child.stdout })) {
    const told = Line.parse(JSON.parse(line))
    if ('share' in told) onShare?.(told.share)
    else result = told.result
  }
  const code = await ended
  signal.removeEventListener('abort', stop)
  signal.throwIfAborted()
  if (code === 0 && result !== undefined) return result
  throw failure(said, code)
}

/** What the program said last: `winnow: CODE: what happened. What to do.`, or the end of a traceback. */
function failure(said: string, code: number | null): WinnowError {
  const last = said.trim().split('\n').at(-1) ?? ''
  const [, known, message] = /^winnow: ([A-Z_]+): (.*)$/.exec(last) ?? []
  const of = known !== undefined && known in errorCodes ? (known as ErrorCode) : 'UNEXPECTED'
  return new WinnowError(of, message ?? `the trainer in Python ended with ${code ?? 'a signal'}: ${last}`)
}
