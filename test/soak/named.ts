import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openRuntime } from '../../services/connections/connections.ts'
import { createLog } from '../../services/runtime/log.ts'
import { exitCodes } from '../../topologies/errors.ts'
import { Seeded } from '../support/seeded.ts'
import { oneFault } from './faults.ts'
import { Kept, type Surroundings, winnow } from './processes.ts'
import { namedAddresses, proxiesBefore, serversOf } from './servers.ts'
import { defaultTolerances, judge, type LagSample, type Seen, type Tolerances, type Verdict } from './verdict.ts'
import { documentsInBurst, pruneCheckpoints, run, writeBurst, writeFiles } from './workload.ts'

export interface NamedOptions {
  readonly seconds: number
  readonly seed: number
  readonly tolerances?: Partial<Tolerances>
  readonly env: NodeJS.ProcessEnv
  readonly say: (line: string) => void
}

/** Without a fault, what waits is read after so long: labelling a burst takes a part of that. */
const calmSeconds = 20
/** In which all that was written has to be labelled, once faults are over. */
const drainSecondsMax = 300

interface Status {
  readonly corpus: { readonly documents: number; readonly complete: number; readonly refused: number }
  readonly deadLetters: number
  readonly gaps: readonly unknown[]
  readonly runs: readonly { readonly run: string; readonly round: number | null; readonly step: number | null }[]
}

/**
 * Labels, selects and trains on servers that the environment names, through proxies that break connections, for so many seconds; then drains and
 * judges. The brokers must hold no corpus: what a soak writes is in the topics of one, and in a database of its own. All of it is removed where everything held.
 * @throws Error saying why it cannot begin
 */
export async function soakNamed({ seconds, seed, tolerances, env: given, say }: NamedOptions): Promise<Verdict> {
  const folder = mkdtempSync(join(tmpdir(), 'winnow-soak-'))
  const database = `winnow_soak_${randomUUID().slice(0, 8)}`
  const env = { ...given, WINNOW_CLICKHOUSE_DATABASE: database }
  const addresses = namedAddresses(env, folder)
  const runtime = await openRuntime(addresses, createLog('soak', 'error'))
  await using opened = new AsyncDisposableStack()
  opened.defer(() => runtime.close())
  const ours = async () => (await runtime.kafka.topicNames()).filter((name) => name.startsWith('winnow.'))
  if ((await ours()).length > 0)
    throw new Error(
      'these brokers hold a corpus of winnow, which the documents of a soak would become part of: name others, or delete its topics',
    )

  const chance = new Seeded(seed)
  writeFiles(folder, chance)
  const { proxies, ports } = await proxiesBefore(await serversOf(addresses))
  for (const { proxy } of proxies) opened.defer(() => proxy.close())
  say(`soak of ${seconds} s, seed ${seed}, in ${folder}; proxies before ${proxies.map(({ name }) => name).join(', ')}`)

  const began = performance.now()
  const now = () => (performance.now() - began) / 1000
  const through: Surroundings = { folder, env, proxies: ports }
  const straight: Surroundings = { folder, env }
  const must = async (...args: string[]) => {
    const { code, stdout, stderr } = await winnow(args, straight)
    if (code !== exitCodes.ok) throw new Error(`winnow ${args.join(' ')} ended with ${code}: ${stderr || stdout}`)
    return stdout
  }
  const status = async () => JSON.parse(await must('status', '--json')) as Status
  let written = 0
  /** Through the proxies; again where a server was away, as whoever runs it would. @returns null, or why it ended otherwise */
  const ingest = async (burst: number): Promise<string | null> => {
    const file = writeBurst(folder, burst, chance)
    for (;;) {
      const { code, stderr } = await winnow(['ingest', file], through)
      if (code === exitCodes.ok) {
        written += documentsInBurst
        rmSync(file)
        return null
      }
      if (code !== exitCodes.unreachable) return `winnow ingest ended with ${code}: ${stderr.trim()}`
    }
  }

  const services = [new Kept('corpus', ['up', '--no-board'], through, now)]
  const [ended, lags] = [new AbortController(), [] as LagSample[]]
  // Also where the soak itself cannot go on.
  opened.defer(async () => void (await Promise.all(services.map((service) => service.stop()))))
  let broken = await ingest(0)
  if (broken !== null) throw new Error(broken)
  /** Of all that were written, also those that nobody has counted yet. */
  const waitingNow = async () => {
    const { corpus } = await status()
    return written - corpus.complete - corpus.refused
  }
  /** @returns how many documents wait in the end */
  const drained = async (): Promise<number> => {
    let waiting = written
    for (const end = now() + drainSecondsMax; now() < end && waiting > 0; await sleep(2000))
      waiting = await waitingNow()
    return waiting
  }
  await drained()
  await must('run', 'create', 'run.yaml')
  services.push(new Kept('stations', ['run', 'stations', '--run', run], through, now))
  services.push(new Kept('trainer', ['run', 'trainer', '--run', run], through, now))

  const sampling = setInterval(() => {
    for (const service of services) service.sample()
  }, 5000)
  const stop = () => ended.abort()
  process.once('SIGINT', stop)
  try {
    for (let burst = 1; now() < seconds && broken === null && !ended.signal.aborted; burst++) {
      const writing = ingest(burst)
      await oneFault(proxies, chance, say, ended.signal)
      broken = await writing
      await sleep(1000 * calmSeconds, undefined, { signal: ended.signal }).catch(() => {})
      const sample = { atSeconds: now(), documents: await waitingNow() }
      lags.push(sample)
      pruneCheckpoints(folder)
      broken ??= services.map((service) => service.broken).find((why) => why !== null) ?? null
      say(`${Math.round(now())} s: ${written} documents, ${sample.documents} wait`)
    }
    const waiting = await drained()
    clearInterval(sampling)
    for (const service of services) await service.stop()
    const { corpus, deadLetters, gaps, runs } = await status()
    const replay = await winnow(['replay', '--run', run], straight)
    const round = runs.find((one) => one.run === run)?.round ?? -1
    const count = (found: number, wanted: number, of: string) =>
      found === wanted ? null : `${found} ${of} of ${wanted}`
    const guarantees: Seen['guarantees'] = [
      {
        promise: 'ingest and services end as an outage explains, and drain when told',
        broken: broken ?? services.map((one) => one.broken).find((why) => why !== null) ?? null,
      },
      {
        promise: 'each document that was written is there, once',
        broken: count(corpus.documents, written, 'documents'),
      },
      {
        promise: 'each document is labelled by every actor',
        broken: waiting === 0 ? null : `${waiting} documents wait after ${drainSecondsMax} s`,
      },
      {
        promise: 'no record is refused, and no topic has a gap',
        broken: deadLetters + gaps.length === 0 ? null : `${deadLetters} dead letters, ${gaps.length} gaps`,
      },
      { promise: 'rounds follow each other', broken: round > 0 ? null : `the last round is ${round}` },
      {
        promise: `all ${round + 1} rounds come out again, to the bit`,
        broken: replay.code === 0 ? null : `winnow replay ended with ${replay.code}: ${replay.stderr.trim()}`,
      },
    ]
    const lives = services.flatMap((service) => service.lives)
    const verdict = judge({ guarantees, lives, lags, documentsInBurst }, { ...defaultTolerances, ...tolerances })
    if (verdict.held) {
      await runtime.kafka.deleteTopics(await ours())
      const everywhere = addresses.cluster === undefined ? '' : ` ON CLUSTER ${addresses.cluster}`
      await runtime.clickHouse.sql.command(`DROP DATABASE ${database}${everywhere}`)
      rmSync(folder, { recursive: true })
    } else say(`kept for you: topics, the database ${database}, and logs in ${folder}`)
    return verdict
  } finally {
    clearInterval(sampling)
    process.removeListener('SIGINT', stop)
    await Promise.all(services.map((service) => service.stop()))
  }
}

/** As people read it. */
export const verdictText = ({ held, lines }: Verdict): string =>
  [
    ...lines.map(({ what, finding, why }) => `${finding.padEnd(10)}  ${what}${why === '' ? '' : `: ${why}`}`),
    held ? 'verdict: held' : 'verdict: BROKEN',
  ].join('\n')
