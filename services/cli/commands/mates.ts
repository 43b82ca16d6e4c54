import { Command } from 'commander'
import type { CliContext } from '../context.ts'
import { example } from '../context.ts'
import { summaries } from '../summaries.ts'
import { fitting } from './mates-fit.ts'
import { following } from './mates-follow.ts'
import { stages } from './mates-list.ts'
import { probes } from './mates-probes.ts'

export const mates = (context: CliContext): Command =>
  new Command('mates')
    .description(summaries.mates)
    .addHelpText('after', example('winnow mates fit first', 'winnow mates list first'))
    .addCommand(fitting(context))
    .addCommand(following(context))
    .addCommand(stages(context))
    .addCommand(probes(context))
