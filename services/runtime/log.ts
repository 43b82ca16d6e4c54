import { destination, type Logger, pino } from 'pino'

export type Log = Logger

/** JSON lines on stderr, so that stdout carries only data. Level from WINNOW_LOG_LEVEL (default `info`). */
export function createLog(name: string, level: string = process.env.WINNOW_LOG_LEVEL ?? 'info'): Log {
  return pino({ name, level }, destination({ fd: 2, sync: true }))
}
