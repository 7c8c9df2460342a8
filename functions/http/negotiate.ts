/** Content negotiation: which media type answers, which one came in, how either is encoded. */
import { type Encoding, encodings, type RowMedia, rowMedia } from '../../contract/media.ts'
import { SluiceError } from '../../core/kernel/errors.ts'

interface Wish {
  readonly name: string
  readonly quality: number
}

/** The first of `offers` that the caller likes best; 406 names them all. */
export function chooseMedia(accept: string | undefined, offers: readonly string[]): string {
  const first = offers[0] ?? ''
  if (accept === undefined || accept === '' || accept === '*/*') return first
  const wishes = parseWishes(accept)
  let best: string | undefined
  let bestQuality = 0
  for (const offer of offers) {
    const quality = qualityOf(wishes, bare(offer))
    if (quality > bestQuality) {
      best = offer
      bestQuality = quality
    }
  }
  if (best !== undefined) return best
  throw new SluiceError('not-acceptable', `none of Accept can be answered here: ${offers.map(bare).join(', ')}`, {
    facts: { accepted: offers.map(bare) },
  })
}

/** The most specific range that matches decides. */
function qualityOf(wishes: readonly Wish[], media: string): number {
  const kind = `${media.slice(0, media.indexOf('/'))}/*`
  for (const range of [media, kind, '*/*']) {
    const wish = wishes.find(({ name }) => name === range)
    if (wish !== undefined) return wish.quality
  }
  return 0
}

function parseWishes(text: string): Wish[] {
  return text.split(',', 64).map((part) => {
    const [name = '', ...parameters] = part.split(';', 16)
    const quality = parameters
      .map((parameter) => /^\s*q\s*=\s*([0-9.]{1,6})\s*$/i.exec(parameter)?.[1])
      .find((found) => found !== undefined)
    const value = quality === undefined ? 1 : Number(quality)
    return { name: name.trim().toLowerCase(), quality: Number.isFinite(value) ? value : 0 }
  })
}

function bare(media: string): string {
  const end = media.indexOf(';')
  return end === -1 ? media : media.slice(0, end)
}

/** What is worth sending compressed, and how: the best of what the caller takes, undefined for as it is. */
export function chooseEncoding(accept: string | undefined): Encoding | undefined {
  if (accept === undefined || accept === '' || accept === 'identity') return undefined
  const wishes = parseWishes(accept)
  const quality = (name: string) =>
    (wishes.find((wish) => wish.name === name) ?? wishes.find((wish) => wish.name === '*'))?.quality ?? 0
  let best: Encoding | undefined
  for (const encoding of encodings) if (quality(encoding) > (best === undefined ? 0 : quality(best))) best = encoding
  return best
}

/** The media type of a body of rows. */
export function rowsMediaOf(contentType: string | undefined): RowMedia {
  const found = bodyMediaOf(contentType, rowMedia)
  return found as RowMedia
}

/** The type that came, one of `accepted`; 415 names them all. */
export function bodyMediaOf(contentType: string | undefined, accepted: readonly string[]): string {
  const type = contentType ?? ''
  for (const media of accepted) if (type === media) return media
  const [name = '', ...parameters] = type.split(';', 16)
  const media = name.trim().toLowerCase()
  const plain = parameters.every(
    (parameter) => !/^\s*charset\s*=/i.test(parameter) || /^\s*charset\s*=\s*"?utf-?8"?\s*$/i.test(parameter),
  )
  if (accepted.includes(media) && plain) return media
  const shown = type === '' ? 'a body without Content-Type' : `Content-Type ${JSON.stringify(type.slice(0, 100))}`
  throw new SluiceError('unsupported-media-type', `${shown} is not taken here: ${accepted.join(', ')}`, { facts: { accepted } })
}

/** The encoding of a body that came in, undefined for none. */
export function bodyEncodingOf(contentEncoding: string | undefined): Encoding | undefined {
  if (contentEncoding === undefined || contentEncoding === '') return undefined
  const name = contentEncoding.trim().toLowerCase()
  if (name === 'identity') return undefined
  for (const encoding of encodings) if (encoding === name) return encoding
  throw new SluiceError(
    'unsupported-media-type',
    `Content-Encoding ${JSON.stringify(contentEncoding.slice(0, 100))} is not taken: ${encodings.join(', ')}`,
    {
      facts: { accepted: encodings },
    },
  )
}
