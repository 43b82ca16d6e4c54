import { Command } from 'commander'
import { alwaysJson, type CliContext } from '../context.ts'
import { summaries } from '../summaries.ts'
import { compare } from './labeler-compare.ts'
import { evaluate } from './labeler-evaluate.ts'
import { golden } from './labeler-golden.ts'
import { label } from './labeler-label.ts'
import { train } from './labeler-train.ts'
import { versions } from './labeler-versions.ts'

export function labeler(context: CliContext): Command {
  const command = new Command('labeler').description(summaries.labeler)
  for (const make of [label, train, evaluate, compare, golden]) command.addCommand(alwaysJson(make(context)))
  command.addCommand(versions(context))
  return command
}
