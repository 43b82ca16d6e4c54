import type { Manifest } from '../../schemas/index.ts'
import { nearest } from '../terminal/nearest.ts'
import type { BoardModel, FollowedRun } from './model.ts'
import { NotFound } from './requests.ts'

/** @throws NotFound naming the run with the most similar name, or all */
export function runNamed({ runs }: Pick<BoardModel, 'runs'>, name: string): FollowedRun {
  const run = runs.get(name)
  if (run !== undefined) return run
  const names = [...runs.keys()]
  throw new NotFound(`there is no run ${name}. ${nearest(name, names) ?? `Runs: ${names.join(', ') || 'none'}.`}`)
}

/** @throws NotFound naming the rounds that have a selection */
export function selectedRound(run: FollowedRun, round: string): Manifest {
  const { manifests } = run.model
  const manifest = /^\d{1,9}$/.test(round) ? manifests.get(Number(round)) : undefined
  if (manifest !== undefined) return manifest
  const rounds = [...manifests.keys()]
  const known = rounds.length === 0 ? 'none yet' : `${Math.min(...rounds)} to ${Math.max(...rounds)}`
  throw new NotFound(`run ${run.config.name} has selected nothing in round ${round}. Rounds: ${known}.`)
}
