import { Option } from 'commander'
import { naturalNumber, positiveNumber } from '../context.ts'

/** The round whose rewards are taken. */
export const roundOption = (): Option =>
  new Option('--round <round>', 'the round of the checkpoint (default: the last one with rewards)').argParser(
    naturalNumber,
  )

/** How many rounds before it too. */
export const roundsOption = (): Option =>
  new Option('--rounds <count>', 'so many rounds with rewards, that one and those before it')
    .argParser(positiveNumber)
    .default(1)
