import { WinnowError } from '../errors.ts'
import { alterTopic } from './alter.ts'

/** kafkajs wraps its errors several times over; the innermost one says what happened. */
interface KafkajsError {
  readonly name?: string
  readonly type?: string
  readonly code?: string | number
  readonly retriable?: boolean
  readonly message?: string
  /** host:port of the broker that could not be connected to. */
  readonly broker?: string
  readonly cause?: unknown
  /** Of several that failed together. */
  readonly errors?: readonly unknown[]
}

function* chain(error: unknown): Generator<KafkajsError> {
  let link = error
  for (let depth = 0; depth < 10 && link !== null && typeof link === 'object'; depth++) {
    yield link as KafkajsError
    const { cause, errors } = link as KafkajsError
    link = cause ?? errors?.[0]
  }
}

/** Another producer took over the transactional id. kafkajs does not know code 90 (PRODUCER_FENCED), which is newer. */
export const isFenced = (error: unknown): boolean =>
  [...chain(error)].some(
    ({ type, message }) => type === 'INVALID_PRODUCER_EPOCH' || message === 'Unknown error code 90',
  )

const authorizationFailed = ['TOPIC_AUTHORIZATION_FAILED', 'CLUSTER_AUTHORIZATION_FAILED']

/** Whether an error or one of its causes is one of these kafkajs protocol error types. */
export const hasType = (error: unknown, ...wanted: readonly string[]): boolean =>
  [...chain(error)].some(({ type }) => type !== undefined && wanted.includes(type))

/** Of topics that were to be created, those that this login may not create. */
export const topicsRefused = (error: unknown): string[] =>
  [...chain(error)]
    .flatMap(({ errors = [] }) => errors as readonly { readonly topic?: string }[])
    .flatMap((one) => (hasType(one, ...authorizationFailed) ? (one.topic ?? []) : []))

/** The topic does not exist, or is not yet known to the broker that was asked. */
export const isUnknownTopic = (error: unknown): boolean => hasType(error, 'UNKNOWN_TOPIC_OR_PARTITION')

/** The broker refused for good, so the request had no effect. After anything else (timeouts, closed connections) that is unknown. */
const isDefinite = (error: unknown): boolean =>
  [...chain(error)].some(
    ({ name, retriable }) =>
      retriable === false && (name === 'KafkaJSProtocolError' || name === 'KafkaJSCreateTopicError'),
  )

/**
 * Turns what kafkajs throws into what a person can act on: UNREACHABLE (retriable) when nothing answers, else the broker's refusal.
 * @param doing completes the sentence "Could not ...", for example `write to topic x`
 */
export function toWinnowError(error: unknown, doing: string, brokers: readonly string[]): WinnowError {
  const own = [...chain(error)].find((link) => link instanceof WinnowError)
  if (own !== undefined) return own
  const innermost = [...chain(error)].at(-1)
  const reason = innermost?.message ?? String(error)
  if (isUnknownTopic(error)) {
    return new WinnowError('CONFIGURATION', `Could not ${doing}: the topic does not exist.`, {
      hint: 'A service creates its topics when it starts, if it may: start one. Else, as an administrator: winnow topics --create.',
      cause: error,
    })
  }
  if (hasType(error, 'MESSAGE_TOO_LARGE')) {
    return new WinnowError('CONFIGURATION', `Could not ${doing}: the broker accepts only smaller messages.`, {
      hint: `Give the topic 1048588 (Kafka's default) or more: ${alterTopic('TOPIC', 'max.message.bytes=1048588')}; a topic without a setting of its own has message.max.bytes of the brokers. 'winnow doctor' tells which`,
      cause: error,
    })
  }
  if ([...chain(error)].some(({ name }) => name === 'KafkaJSSASLAuthenticationError')) {
    return new WinnowError('CONFIGURATION', `Could not ${doing}: the brokers do not know this login (${reason}).`, {
      hint: 'Check kafka.sasl, kafka.username and WINNOW_KAFKA_PASSWORD or WINNOW_KAFKA_TOKEN.',
      cause: error,
    })
  }
  if (isDefinite(error)) {
    return new WinnowError('CONFIGURATION', `Could not ${doing}: ${reason}`, {
      hint: `The brokers (${brokers.join(', ')}) answered with a refusal: check their settings and permissions.`,
      cause: error,
    })
  }
  const advertised = advertisedAddress(error, brokers)
  if (advertised !== undefined) {
    return new WinnowError(
      'UNREACHABLE',
      `Could not ${doing}: Kafka at ${brokers.join(', ')} sends clients to ${advertised}, which does not answer (${reason}).`,
      { hint: advertisedHint, cause: error },
    )
  }
  return new WinnowError(
    'UNREACHABLE',
    `Could not ${doing}: no answer from Kafka at ${brokers.join(', ')} (${reason}).`,
    {
      hint: 'Is a broker running there? `winnow dev` starts one; WINNOW_BROKERS names another.',
      cause: error,
    },
  )
}

export const advertisedHint =
  'Is that broker running? If it is, its advertised.listeners must be an address that this machine reaches.'

/** The address that could not be connected to, if it is one that brokers advertise (advertised.listeners), not a configured one. */
function advertisedAddress(error: unknown, brokers: readonly string[]): string | undefined {
  const address = [...chain(error)].findLast(({ broker }) => broker !== undefined)?.broker
  return address === undefined || brokers.includes(address) ? undefined : address
}

/** A fenced producer must stop: another instance has taken over. */
export const fencedError = (transactionalId: string, cause: unknown): WinnowError =>
  new WinnowError('FENCED', `Another instance took over as "${transactionalId}"; this one stops.`, {
    hint: 'Run one instance of each name. If the other one replaces this one, there is nothing to do.',
    cause,
  })
