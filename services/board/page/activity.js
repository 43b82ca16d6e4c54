import { age, integer, rate, sum } from './format.js'
import { state } from './store.js'

/** How many dead letters there are of the reasons that match. */
export const errorsWhere = (matches) =>
  sum((state.deadLetters?.reasons ?? []).filter(matches).map(({ count }) => count))

/** Lag of a topic's readers, of this run and of the corpus. */
export const lagsOf = (topic, run) =>
  (state.traffic?.lag ?? [])
    .filter((one) => one.topic === topic && (one.run === run || one.run === null))
    .map((one) => ({ ...one, lag: sum(one.partitions) }))

/** No station of such a run is expected to be connected. */
const atRest = new Set(['recorded', 'done', 'paused', 'ended', 'archived', 'replay'])

/** How far a run's trainer has read its selection. */
export function readingOf({ info, rounds, progress }) {
  const last = progress.at(-1)
  const round = last && rounds.find((one) => one.round === last.round)
  if (!round?.manifest || round.read === null) return null
  const { documents } = round.manifest
  const again = round.read > documents ? ', then again from its beginning' : ''
  return {
    brief: `step ${integer(last.step)} / ${integer(info.steps)}`,
    words: `It has read ${integer(Math.min(round.read, documents))} of the ${integer(documents)} documents of round ${round.round}${again}.`,
    share: `read ${integer(Math.min(round.read, documents))} of ${integer(documents)}, round ${round.round}`,
  }
}

/**
 * A station's state, as shown in its box. here: somebody is connected; gone: nobody, although the run is active; rests: nobody needs to be;
 * none: unknown.
 */
export function activityOf(name, run) {
  const known = (state.traffic?.stations ?? []).find(
    (one) => one.station === name && (one.run === run.info.name || one.run === null),
  )
  const reading = name === 'trainer' ? readingOf(run) : null
  const told = { members: known?.members, reading: reading?.words ?? '' }
  if (known === undefined) {
    const writes = run.info.stations.find((one) => one.name === name)?.writes ?? []
    const flows = Math.max(0, ...writes.map((topic) => state.traffic?.topics[topic]?.ratePerSecond ?? 0))
    const words = flows > 0 ? `writes ${rate(flows)}` : 'nothing now'
    return { ...told, is: flows > 0 ? 'here' : 'none', brief: words, words }
  }
  const { members, lastSeenMs, perSecond } = known
  if (members > 0) {
    const many = `${members} member${members > 1 ? 's' : ''}`
    const does = reading?.brief ?? (perSecond === null ? '' : rate(perSecond))
    const brief = reading ? [reading.brief] : [many, does]
    return {
      ...told,
      is: 'here',
      brief: brief.filter(Boolean).join(' · '),
      words: [many, does].filter(Boolean).join(', '),
    }
  }
  const rests = known.run !== null && (run.status === undefined || atRest.has(run.status.state))
  const seen = lastSeenMs === null ? 'not connected' : `gone for ${age(Date.now() - lastSeenMs)}`
  return { ...told, is: rests ? 'rests' : 'gone', brief: reading && rests ? reading.brief : seen, words: seen }
}
