import { randomUUID } from 'node:crypto'
import { type Command, InvalidArgumentError } from 'commander'
import type { ActorChange } from '../../../schemas/index.ts'
import { mappingInWords } from '../../../topologies/rounds/subcategories.ts'
import { labelerVersion } from '../../labeler/labeler.ts'
import { runnable } from '../../runs/registry.ts'
import { wantedMapping } from '../../runs/subcategories.ts'
import { systemClock } from '../../runtime/clock.ts'
import { type CliContext, clusterCommand, example } from '../context.ts'
import { type ChangeOptions, changing, labelsOf, notBefore, want, weightsOf } from './run-actors.ts'

interface RelabelOptions extends ChangeOptions {
  readonly labeler: string
  readonly weights?: string
  readonly split?: Named[]
  readonly merge?: Named[]
  readonly retire?: string[]
}

/** NAMES=NAME of the command line. */
interface Named {
  readonly names: string[]
  readonly name: string
}

export const relabelActor = (context: CliContext): Command =>
  changing(
    clusterCommand(
      'relabel-actor',
      "gives an actor of a live run another labeler's labels, also of other subcategories",
    ),
  )
    .argument('<run>', 'the run')
    .argument('<actor>', 'its actor')
    .requiredOption(
      '--labeler <actor-or-file>',
      'an actor of winnow.yaml, or a file with its subcategories and labeler as there',
    )
    .option('--split <new,...=old>', 'each of the new ones goes on from the old one; may be repeated', collected)
    .option(
      '--merge <old,...=new>',
      'the new one goes on from the mean of the old ones, weighted by documents; may be repeated',
      collected,
    )
    .option('--retire <name>', 'nothing goes on from it; may be repeated', listed)
    .option(
      '--weights <list-or-file>',
      'initial weights, of which those of new subcategories count: as of add-actor (default: equal)',
    )
    .addHelpText(
      'after',
      `
Subcategories of the same name keep their weights; one that is new begins at its initial weight. Each that is no longer there has to be named.
${example(
  'winnow run relabel-actor first topic --labeler topic2.yaml --split biology,physics=science --retire spam --why finer',
  'winnow run relabel-actor first topic --labeler topic3.yaml --merge biology,physics=science --why coarser',
)}`,
    )
    .action(async (run: string, actor: string, options: RelabelOptions) => {
      await using connection = await context.connect(options)
      const { labels, folder } = labelsOf(context, connection.config, { ...options, actor })
      const { subcategories, labeler } = labels
      const { by, why, split = [], merge = [], retire = [], weights } = options
      const { run: recorded } = await runnable(connection.runtime, run)
      const mapping = await wantedMapping(connection.runtime, recorded, actor, subcategories, {
        split: split.map(({ names, name }) => ({ to: names, from: name })),
        merged: merge.map(({ names, name }) => ({ from: names, to: name })),
        retired: retire,
      })
      const change: ActorChange = {
        ...{
          run,
          id: randomUUID(),
          kind: 'relabel',
          actor,
          fromRound: notBefore(options),
          subcategories,
          eta: 0,
          initialTheta: null,
        },
        ...{ initialWeights: mapping === null ? [] : weightsOf(context, subcategories, weights) },
        ...{ labelerVersion: await labelerVersion(labels, labeler, folder), labeler: JSON.stringify(labeler) },
        ...{ labelerFolder: folder, recordedMs: systemClock(), fit: null, mapping, by, why },
      }
      await want(context, connection.runtime, change, options)
      const becomes = mapping === null ? 'subcategories stay as they are' : mappingInWords(mapping)
      context.stderr.write(
        `${becomes}; labelled where 'winnow dev' or 'winnow up' runs, and taken once the labels cover what the last selection saw: winnow run show ${run}\n`,
      )
    })

/** NAME,NAME=NAME, once or several times. */
function collected(text: string, before: Named[] = []): Named[] {
  const at = text.lastIndexOf('=')
  const names = text.slice(0, Math.max(0, at)).split(',')
  const name = text.slice(at + 1)
  if (at < 1 || name === '' || names.includes('')) throw new InvalidArgumentError('must be as biology,physics=science')
  return [...before, { names, name }]
}

const listed = (text: string, before: string[] = []): string[] => [...before, text]
