/** A service that runs until it is closed. */
export interface Service {
  readonly name: string
  /** Details worth printing when it starts, in brackets after its name. */
  readonly detail?: string
  close(): Promise<void>
}

/** Its name in the output of a start. */
export const named = ({ name, detail }: Service): string => (detail === undefined ? name : `${name} (${detail})`)

/** Returns what `start` has started, in a list that it adds to; if it fails, what was started so far is closed. */
export async function startTogether(start: (started: Service[]) => Promise<void>): Promise<Service[]> {
  const started: Service[] = []
  await using starting = new AsyncDisposableStack()
  starting.defer(() => closeAll(started))
  await start(started)
  starting.move()
  return started
}

/** Closes services, last started first; all of them, even if one fails. */
export async function closeAll(services: Service[]): Promise<void> {
  await using all = new AsyncDisposableStack()
  for (const service of services.splice(0)) all.defer(() => service.close())
}

/** The first failure: what fails while a block unwinds wraps it in a SuppressedError. */
export function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error
}
