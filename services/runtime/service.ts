/** A service that runs until it is closed. */
export interface Service {
  readonly name: string
  close(): Promise<void>
}

/** Gives what `start` has started, in a list that it adds to; where it fails, what was started until then is closed. */
export async function startTogether(start: (started: Service[]) => Promise<void>): Promise<Service[]> {
  const started: Service[] = []
  try {
    await start(started)
    return started
  } catch (error) {
    await closeAll(started).catch(() => {})
    throw error
  }
}

/** Closes services, the last started first; all of them, also where one fails. */
export async function closeAll(services: Service[]): Promise<void> {
  const errors: unknown[] = []
  for (const service of services.splice(0).reverse()) {
    await service.close().catch((error: unknown) => errors.push(error))
  }
  if (errors.length > 0) throw errors[0]
}
