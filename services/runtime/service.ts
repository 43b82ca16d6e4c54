/** A service that runs until it is closed. */
export interface Service {
  readonly name: string
  /** What a person may want to know of it where it starts, in brackets behind its name. */
  readonly detail?: string
  close(): Promise<void>
}

/** How a start names it. */
export const named = ({ name, detail }: Service): string => (detail === undefined ? name : `${name} (${detail})`)

/** Gives what `start` has started, in a list that it adds to; where it fails, what was started until then is closed. */
export async function startTogether(start: (started: Service[]) => Promise<void>): Promise<Service[]> {
  const started: Service[] = []
  await using starting = new AsyncDisposableStack()
  starting.defer(() => closeAll(started))
  await start(started)
  starting.move()
  return started
}

/** Closes services, the last started first; all of them, also where one fails. */
export async function closeAll(services: Service[]): Promise<void> {
  await using all = new AsyncDisposableStack()
  for (const service of services.splice(0)) all.defer(() => service.close())
}

/** The failure that came first: what fails when a block ends after a failure comes as a SuppressedError around it. */
export function firstFailure(error: unknown): unknown {
  return error instanceof SuppressedError ? firstFailure(error.suppressed) : error
}
