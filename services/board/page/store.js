/** What the page knows: runs by name, each with its rounds and progress in order. Fed by server-sent events. */
export const state = {
  runs: new Map(),
  deadLetters: null,
  sources: [],
  traffic: null,
  /** Runs of another version of winnow: [{ run, why, hint }]. */
  unreadable: [],
  problem: null,
  /** Why whoever visits changes nothing; null: they may, or the board has not said yet. */
  changesNothing: null,
  connected: false,
  arrived: false,
}

/** As on the server, so that a page that stays open does not grow: more points than a plot has pixels are useless. */
const pointsMax = 4000
const roundsMax = 2000
const runsMax = 16

const listeners = new Set()

export function subscribe(listener) {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

function changed() {
  for (const listener of listeners) listener()
}

/** Merges by key: a round replaces the round of its number, a progress point the one of its step. */
export function apply(patch) {
  for (const name of patch.removed ?? []) state.runs.delete(name)
  for (const [name, { info, status, rounds = [], progress = [] }] of Object.entries(patch.runs ?? {})) {
    const known = state.runs.get(name)
    const isAnother = info && known && info.recordedMs !== known.info.recordedMs
    const run = known && !isAnother ? known : { info, rounds: [], progress: [] }
    state.runs.set(name, {
      info: info ?? run.info,
      status: status ?? run.status,
      rounds: merged(run.rounds, rounds, ({ round }) => round).slice(-roundsMax),
      progress: thinned(merged(run.progress, progress, ({ step }) => step)),
    })
  }
  for (const name of [...state.runs.keys()].slice(0, -runsMax)) state.runs.delete(name)
  if (patch.deadLetters) state.deadLetters = patch.deadLetters
  if (patch.traffic) state.traffic = patch.traffic
  if (patch.sources) state.sources = patch.sources
  if (patch.unreadable) state.unreadable = patch.unreadable
  if (patch.problem !== undefined) state.problem = patch.problem
}

function merged(known, news, keyOf) {
  if (news.length === 0) return known
  const byKey = new Map(known.map((one) => [keyOf(one), one]))
  for (const one of news) byKey.set(keyOf(one), one)
  return [...byKey.values()].sort((a, b) => keyOf(a) - keyOf(b))
}

const thinned = (points) =>
  points.length <= pointsMax
    ? points
    : points.filter((point, i) => i % 2 === 0 || point.referenceLoss !== null).slice(-pointsMax)

/** Listens; the browser reconnects after a lost connection, and everything is sent again. */
export function listen() {
  // An address of its own: Chromium makes requests for the same one wait for each other, and these never end.
  const source = new EventSource(`/api/events?page=${crypto.randomUUID?.() ?? Math.random()}`)
  source.addEventListener('whole', ({ data }) => {
    state.runs = new Map()
    apply(JSON.parse(data))
    state.connected = true
    state.arrived = true
    changed()
    void askVisitor()
  })
  source.addEventListener('change', ({ data }) => {
    apply(JSON.parse(data))
    changed()
  })
  source.addEventListener('error', () => {
    state.connected = false
    changed()
  })
}

/** Again with each connection: somebody may have got another role. What the board refuses is refused whatever stands here. */
async function askVisitor() {
  const { changesNothing } = await ask('/api/visitor').catch(() => ({ changesNothing: null }))
  if (state.changesNothing === changesNothing) return
  state.changesNothing = changesNothing
  changed()
}

/**
 * The run that a view shows: the one in the address, and no other in its place. Without one, the newest that is no replay and has selected
 * something, and no control; else the newest that is no replay: as on the command line.
 */
export function runOf(name) {
  if (name !== undefined) return state.runs.get(name)
  const runs = [...state.runs.values()]
  const meant = ({ info, rounds }) => info.kind === 'run' && rounds.some(({ manifest }) => manifest)
  return runs.findLast(meant) ?? runs.findLast(({ info }) => info.kind !== 'replay') ?? runs.at(-1)
}

/** Calls the board; on a refusal throws its message. */
export async function ask(path, body) {
  const options =
    body === undefined
      ? {}
      : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
  const response = await fetch(path, options)
  const answer = await response.json().catch(() => ({ message: `the board answered ${response.status}` }))
  if (!response.ok) throw new Error(answer.message ?? `the board answered ${response.status}`)
  return answer
}
