/**
 * A strategy of rounds of your own: an actor whose weights are the median rewards of its subcategories, so that a few extreme rewards
 * move nothing. It replaces Eq. 4 and 5 in one actor's station; console, theta and selection stay as they are. rehearsal.ts runs it.
 */
import { Subject } from 'rxjs'
import { ActorState, Reward, RoundClosed, RoundOpened, runTopics } from '../../schemas/index.ts'
import { runStations, type Station } from '../../topologies/dataflow.ts'
import type { Delivered } from '../../topologies/node.ts'
import { type CollectedRound, collectRounds } from '../../topologies/rounds/collect.ts'
import type { RunConfig } from '../../topologies/run-config.ts'

const inputs = new Set<string>([Reward.name, RoundOpened.name, RoundClosed.name])

export function median(values: readonly number[]): number | null {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length / 2
  if (sorted.length === 0) return null
  return (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2
}

/** The stations of a run, with this strategy in the actor's. */
export function stationsWithMedian(run: RunConfig, actor: string): Station[] {
  return runStations(run).map((station) =>
    station.name === `actor ${actor}` ? { ...station, restoreFrom: [], build: build(run, actor) } : station,
  )
}

/** Folds the log from its start whenever it starts, and so needs no memory: the same log gives the same states, which repeat without effect. */
function build(run: RunConfig, name: string): Station['build'] {
  const { subcategories, initialWeights } = run.selection.actors.find((actor) => actor.name === name)!
  return (_ports, output) => {
    const records$ = new Subject<Delivered>()
    const closed: CollectedRound[] = []
    records$.pipe(collectRounds(run.selection)).subscribe((round) => closed.push(round))
    let weights = [...initialWeights]
    const fold = ({ opened, closed, ledger, inputOffsets }: CollectedRound): ActorState => {
      const [own] = ledger.accepted([name], closed.rewardOffsets)
      const of = subcategories.map((_, j) => own!.rewards.filter((_, i) => own!.subcategories[i] === j))
      const rewards = of.map(median)
      weights = weights.map((weight, j) => rewards[j] ?? weight)
      const state = { weights, rewards, counts: of.map(({ length }) => length), everRewarded: [] }
      return { run: run.name, actor: name, round: opened.round, ...state, inputOffsets: [...inputOffsets] }
    }
    return {
      startOffset: () => 0,
      async process(batch) {
        for (const delivered of batch) if (inputs.has(delivered.record)) records$.next(delivered)
        const topic = runTopics(run.name).actorState.name
        const states = closed.splice(0).map(fold)
        if (states.length === 0) return
        await output.send(states.map((value) => ({ topic, record: ActorState, key: `${name}/${value.round}`, value })))
      },
    }
  }
}
