/** A service that runs until it is closed. */
export interface Service {
  readonly name: string
  close(): Promise<void>
}

/** Closes services, the last started first; all of them, also where one fails. */
export async function closeAll(services: Service[]): Promise<void> {
  const errors: unknown[] = []
  for (const service of services.splice(0).reverse()) {
    await service.close().catch((error: unknown) => errors.push(error))
  }
  if (errors.length > 0) throw errors[0]
}
