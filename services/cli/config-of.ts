import type { Config } from '../config/config.ts'
import { loadConfig } from '../config/load.ts'
import type { CliContext, GlobalOptions } from './context.ts'

/** The configuration of a command, by its flags. @throws WinnowError CONFIGURATION */
export const configOf = (
  { env, folder }: Pick<CliContext, 'env' | 'folder'>,
  { config, data }: Pick<GlobalOptions, 'config' | 'data'>,
): Config =>
  loadConfig({
    ...{ env, folder },
    ...(config !== undefined && { file: config }),
    ...(data !== undefined && { dataFolder: data }),
  })
