import { once } from 'node:events'
import { createWriteStream, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { finished } from 'node:stream/promises'
import { createLog } from '../../services/runtime/log.ts'
import { simulate } from '../../services/simulate/simulate.ts'
import { defaultActors } from '../../topologies/selection/default-actors.ts'
import { splitmix64 } from '../../topologies/selection/u64.ts'

/**
 * Seconds and peak memory of a simulation: node test/bench/simulate.ts [documents] [rewards a round] [documents selected].
 * By default ten million documents, five rounds of 1,500 rewards, a quarter selected; the target is a minute and 2 GB.
 */
const [documents = 10_000_000, rewardsPerRound = 1500, budget = Math.ceil(documents / 4)] = process.argv
  .slice(2)
  .map(Number)
const rounds = 5

const folder = mkdtempSync(join(tmpdir(), 'winnow-bench-'))
const actors = Object.entries(defaultActors)

/** Ids spread over all 64 bits: document i has splitmix64(i), a bijection. */
const idOf = (i: number) => splitmix64(BigInt(i)).toString()

async function writeLines(name: string, count: number, line: (i: number) => string): Promise<string> {
  const path = join(folder, name)
  const file = createWriteStream(path, { highWaterMark: 1 << 20 })
  for (let i = 0; i < count; ) {
    let piece = ''
    for (const end = Math.min(count, i + 10_000); i < end; i++) piece += line(i)
    if (!file.write(piece)) await once(file, 'drain')
  }
  file.end()
  await finished(file)
  return path
}

const label = (i: number, a: number) => Math.imul(i + 1, 0x9e3779b1 + 2 * a) >>> 16
const labels = await writeLines('labels.jsonl', documents, (i) => {
  const pairs = actors.map(([name, { length }], a) => `"${name}": ${label(i, a) % length}`)
  return `{"docId": "${idOf(i)}", "tokens": ${200 + (i % 1800)}, "labels": {${pairs.join(', ')}}}\n`
})
const rewards = await writeLines('rewards.jsonl', rounds * rewardsPerRound, (i) => {
  const round = 1 + Math.floor(i / rewardsPerRound)
  const document = (i * 7919) % documents
  const reward = Math.sin(i) / 100
  return `${JSON.stringify({ round, actor: actors[i % actors.length]![0], docId: idOf(document), reward })}\n`
})
const config = join(folder, 'config.json')
const options = { rewardTransform: { kind: 'standardize' }, repetitionDecay: 0.1, budget: { documents: budget } }
writeFileSync(config, JSON.stringify({ seed: 7, ...options }))

const start = performance.now()
const summary = await simulate({ labels, rewards, config, out: join(folder, 'out') }, createLog('bench'))
const seconds = (performance.now() - start) / 1000
// Of the generation too, but that holds next to nothing.
const peakMiB = process.resourceUsage().maxRSS / 1024
console.log({ documents, rounds: summary.rounds, rejected: summary.rejected, seconds, peakMiB })
rmSync(folder, { recursive: true })
