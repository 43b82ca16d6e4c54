import { describe, expect, test } from 'vitest'
import { untagged } from '../../../deploy/demo/corpus/brown.ts'
import { letterOf } from '../../../deploy/demo/corpus/mail.ts'
import { sentencesOf } from '../../../deploy/demo/corpus/texts.ts'

describe('a paragraph of the Brown corpus', () => {
  test('loses its tags and gets its punctuation back', () => {
    const tagged =
      "\t``/`` Only/rb a/at few/ap (/( three/cd )/) ''/'' ,/, he/pps said/vbd ;/. ;/.\nMr./np Ivan's/np$ wasn't/bedz* ./."
    expect(untagged(tagged)).toBe('"Only a few (three)," he said; Mr. Ivan\'s wasn\'t.')
  })

  test('keeps one of two doubled punctuation marks, inside the quotation', () => {
    expect(untagged("``/`` Why/wrb ''/'' ?/. ?/.\nCo./nn ./.")).toBe('"Why?" Co.')
    expect(untagged("``/`` Stop/vb !/. !/.\n''/''")).toBe('"Stop!"')
  })

  test('keeps headings on lines of their own', () => {
    expect(untagged('Thirty-three/cd-hl\nScotty/np left/vbd ./.')).toBe('Thirty-three\nScotty left.')
  })

  test('keeps words with a slash in them', () => {
    expect(untagged('1/2/cd inch/nn')).toBe('1/2 inch')
  })
})

describe('a letter', () => {
  test('becomes its subject and its text, without signature and addresses', () => {
    const message =
      'Received: from a\n\tby b\nSubject: Re: [list] Fwd: A question\n of two lines\nFrom: x@y.org\n\nWrite to me@home.org.\n\n-- \nMe\n'
    expect(letterOf(message)).toEqual({ subject: 'A question of two lines', body: 'Write to someone@example.org.' })
  })

  test('in several parts becomes its plain-text part, decoded', () => {
    const message = [
      'Subject: parts',
      'Content-Type: multipart/alternative; boundary="cut"',
      '',
      'preamble',
      '--cut',
      'Content-Type: text/html',
      '',
      '<p>no</p>',
      '--cut',
      'Content-Type: text/plain; charset=us-ascii',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'a long li=',
      'ne =3D one',
      '--cut--',
    ].join('\n')
    expect(letterOf(message)).toEqual({ subject: 'parts', body: 'a long line = one' })
  })

  test('without plain text is left out', () => {
    expect(letterOf('Content-Type: text/html\n\n<p>no</p>')).toBe(null)
  })
})

test('a sentence ends only before a capital letter', () => {
  expect(sentencesOf('We met. "Why?" they asked. In 3.5 years, perhaps.')).toEqual([
    'We met.',
    '"Why?" they asked.',
    'In 3.5 years, perhaps.',
  ])
})
