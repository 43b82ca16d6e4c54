import type { Run } from '../../schemas/index.ts'
import { roundDue } from '../../topologies/console/opening.ts'
import { hasStage } from '../../topologies/console/staging.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { isControl } from '../../topologies/selects-by.ts'
import type { RunView } from './run-view.ts'

/** What a run is doing, in the order of its life. */
export type RunStateName =
  | 'recorded'
  | 'waiting for labels'
  | 'sampling'
  | 'waiting for rewards'
  | 'selecting'
  | 'training'
  | 'done'
  | 'paused'
  | 'ended'
  | 'archived'
  | 'shadowing'
  | 'replay'

export interface RunState {
  readonly state: RunStateName
  /** What it waits for, with a remedy if something is missing; null: nothing. */
  readonly waitsFor: string | null
}

/** A station of a run whose instances are visible as members of its consumer groups. */
export type RunMember = 'console' | 'influence' | 'trainer'

export interface RunFacts {
  readonly record: Pick<Run, 'life' | 'replayOf'>
  readonly config: Pick<RunConfig, 'name' | 'steps' | 'updateSteps' | 'labelers' | 'stages' | 'shadowOf'>
  /** What trainer and console have reported so far. */
  readonly view: Pick<RunView, 'lastReport' | 'lastOpened' | 'lastClosed' | 'lastManifest'> &
    Partial<Pick<RunView, 'relabelled'>>
  /** It has rounds or reports, or one of its stations is connected. */
  readonly started: boolean
  /** Who is connected now; omitted: not checked. */
  readonly members?: ReadonlySet<RunMember>
}

/** The state of a run: a function of the log, the same for command line, `top` and board. */
export function runState(facts: RunFacts): RunState {
  const { record, config, view, started } = facts
  const { life, replayOf } = record
  if (life === 'archived') return { state: 'archived', waitsFor: null }
  if (config.shadowOf !== undefined) return shadowState(facts, config.shadowOf)
  if (replayOf !== null) return { state: 'replay', waitsFor: null }
  const step = view.lastReport?.step ?? 0
  if (step >= config.steps) return { state: 'done', waitsFor: null }
  if (life === 'ended') return { state: 'ended', waitsFor: null }
  if (life === 'paused') return { state: 'paused', waitsFor: `somebody: winnow run resume ${config.name}` }
  if (!started) return { state: 'recorded', waitsFor: `a start: winnow run start ${config.name}` }
  return atWork(facts, step)
}

/** A shadow goes on as long as its leader does, and waits for nothing else. */
function shadowState({ record: { life }, config, view, started, members }: RunFacts, leader: string): RunState {
  if (life === 'ended') return { state: 'ended', waitsFor: null }
  if (life === 'paused') return { state: 'paused', waitsFor: `somebody: winnow run resume ${config.name}` }
  if (!started) return { state: 'recorded', waitsFor: `a start: winnow run start ${config.name}` }
  const next = (view.lastManifest?.round ?? -1) + 1
  const without = members === undefined || members.has('console') ? '' : `; ${missing(config.name, 'console')}`
  return { state: 'shadowing', waitsFor: `round ${next} of ${leader}${without}` }
}

function atWork({ config, view, members }: RunFacts, step: number): RunState {
  const { lastReport, lastOpened: opened, lastClosed: closed, lastManifest: manifest } = view
  const with_ = (state: RunStateName, what: string, by: RunMember): RunState => ({
    state,
    waitsFor: `${what}${members === undefined || members.has(by) ? '' : `; ${missing(config.name, by)}`}`,
  })
  if (opened === undefined) {
    const versions = Object.entries(config.labelers).map(([actor, version]) => `${actor} ${version}`)
    return with_('waiting for labels', `documents with labels of all its actors (${versions.join(', ')})`, 'console')
  }
  const { round } = opened
  if (closed === undefined || closed.round < round) {
    const asked = opened.samples.reduce((sum, { docIds }) => sum + docIds.length, 0)
    if (asked === 0) return with_('selecting', `the console to close round ${round}`, 'console')
    const until = opened.deadlineMs === null ? '' : `, until ${clockOf(opened.deadlineMs)} at the latest`
    return with_('waiting for rewards', `answers to ${asked} requests of round ${round}${until}`, 'influence')
  }
  const unselected = manifest === undefined || manifest.round < round
  if (unselected && hasStage(config as RunConfig, opened) && view.relabelled?.has(round) !== true) {
    const fit = `labels fitted to the rewards of round ${round} (winnow mates fit ${config.name})`
    return with_('waiting for labels', `${fit}, ${config.stages!.waitSeconds} s at most`, 'console')
  }
  if (unselected) return with_('selecting', `actors and console to select round ${round}`, 'console')
  const due = lastReport === undefined ? undefined : roundDue(lastReport, config as RunConfig, round)
  if (due !== undefined) return with_('sampling', `the console to open round ${due}`, 'console')
  const next = Math.min(config.steps, (Math.floor(step / config.updateSteps) + 1) * config.updateSteps)
  return with_('training', `the trainer to report step ${next} of ${config.steps}`, 'trainer')
}

const missing = (run: string, by: RunMember): string => {
  if (by === 'influence') return `no influence worker is connected: winnow run influence --run ${run}`
  if (by === 'trainer') return `the reference trainer is not connected: winnow run trainer --run ${run}, or your own`
  return `no console is connected: winnow run stations --run ${run}`
}

const clockOf = (ms: number): string => `${new Date(ms).toISOString().slice(11, 19)} UTC`

type Configured = Pick<RunConfig, 'sampleDocuments' | 'selection' | 'shadowOf'>

/** A control draws at random: its theta and weights mean nothing. */
export type Sort = 'run' | 'control' | 'replay' | 'shadow'

export function sortOf({ replayOf }: Pick<Run, 'replayOf'>, config: Configured): Sort {
  if (config.shadowOf !== undefined) return 'shadow'
  if (replayOf !== null) return 'replay'
  return isControl(config) ? 'control' : 'run'
}

/** What sort of run it is, in a word or two. */
export function kindOf(record: Pick<Run, 'replayOf'>, config: Configured): string {
  const sort = sortOf(record, config)
  return record.replayOf === null ? sort : `${sort} of ${record.replayOf}`
}

/** Its trainer is connected and takes its time: nothing to report. */
export const onlyTrains = ({ state, waitsFor }: RunState): boolean =>
  (state === 'training' || state === 'shadowing') && waitsFor?.includes(';') !== true
