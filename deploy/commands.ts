import type { CommandLoaders } from '../services/cli/program.ts'

/** The commands that start or examine things on this machine. */
export const deployCommands: CommandLoaders = {
  dev: async () => (await import('./dev/command.ts')).dev,
  demo: async () => (await import('./demo/command.ts')).demo,
  acls: async () => (await import('./acls/command.ts')).acls,
  experiment: async () => (await import('./experiment/command.ts')).experiment,
  doctor: async () => (await import('./doctor/command.ts')).doctor,
}
