import type { Manifest, Progress } from '../../schemas/index.ts'
import { Configuration, changeInWords } from '../../topologies/rounds/configuration.ts'
import { steeringInWords } from '../../topologies/rounds/steering.ts'
import type { RunConfig } from '../../topologies/run-config.ts'
import { isControl, selectsBy } from '../../topologies/selects-by.ts'
import { howFar } from '../corpus/how-far.ts'
import { formatFixed } from '../terminal/table.ts'
import type { RunHooks } from './run.ts'

/** Reports what a run does, one line per event. */
export function narrate(run: RunConfig, say: (line: string) => void): Omit<RunHooks, 'onFailure'> {
  const name = run.name.padEnd(14)
  const configuration = new Configuration(run)
  return {
    onConsole: (event) => {
      if (event.kind === 'preparing')
        say(`${name} round ${event.round} waits until the corpus is sorted for draws${howFar(event.preparing)}`)
      if (event.kind === 'sketching')
        say(
          `${name} round ${event.round} waits until documents are sketched${howFar(event.preparing)}: winnow run duplicates`,
        )
      if (event.kind === 'unchecked')
        say(
          `${name} round ${event.round} waits until the corpus is compared with the evaluation sets: winnow eval-set list`,
        )
      if (event.kind === 'changed') {
        for (const change of event.changes) configuration.add(event.round, change)
        for (const change of event.changes) say(`${name} ${changeInWords(change, event.round)}`)
      }
      if (event.kind === 'promoted') say(`${name} goes on as its shadow ${event.shadow} from round ${event.round} on`)
      if (event.kind === 'steered') for (const one of event.steered) say(`${name} ${steeringInWords(one, event.round)}`)
      if (event.kind === 'opened' && event.requests > 0)
        say(`${name} round ${event.round} opened: ${event.requests} rewards requested`)
      if (event.kind === 'closed' && event.reason === 'deadline')
        say(`${name} round ${event.round} closed without ${event.missing} rewards`)
      if (event.kind === 'closed' && run.stages !== undefined && event.round > 0)
        say(`${name} round ${event.round} waits for labels fitted to its rewards: winnow mates fit ${run.name}`)
      if (event.kind === 'selected')
        say(
          `${name} round ${event.manifest.round} selected ${event.manifest.documents} documents${leaders(configuration.at(event.manifest.round), event.manifest)}`,
        )
    },
    onProgress: (progress) =>
      say(`${name} step ${String(progress.step).padStart(4)}/${run.steps}  ${losses(progress)}`),
  }
}

const losses = ({ trainLoss, referenceLoss, corpusLoss }: Progress): string =>
  [
    trainLoss === null ? undefined : `training ${formatFixed(trainLoss, 3)}`,
    referenceLoss === null ? undefined : `reference ${formatFixed(referenceLoss, 3)}`,
    corpusLoss === null ? undefined : `other text ${formatFixed(corpusLoss, 3)}`,
  ]
    .filter((part) => part !== undefined)
    .join('  ')

/** What each actor currently favours: a negative theta reverses its weights. A control favours nothing. */
function leaders(run: RunConfig, { round, theta, weights }: Manifest): string {
  const by = selectsBy(run)
  if (by !== null) return isControl(run) ? ', drawn at random' : `; ${by}`
  const drawn = round === 0 && run.selection.firstSelection === 'random'
  if (drawn || theta.every((value) => value === 0)) return ', drawn at random'
  const favoured = run.selection.actors.map(({ name, subcategories }, a) => {
    const sign = theta[a]! < 0 ? -1 : 1
    const best = weights[a]!.reduce((top, weight, j) => (sign * weight > sign * weights[a]![top]! ? j : top), 0)
    const turned = sign < 0 ? ', its weights turned round' : ''
    return `${name} ${subcategories[best]} (theta ${formatFixed(theta[a], 2)}${turned})`
  })
  return `; favoured: ${favoured.join(', ')}`
}
