/**
 * Lookups of one table with the same options, gathered: the keys of callers that ask within a millisecond are one request, at most so
 * many of them, and every caller gets the answer to its key. A key that is refused, and an answer that would be too large, are no other
 * caller's: the batch is halved until each has its own answer.
 */

import { utf8Text } from '../../core/kernel/bytes.ts'
import { isSluiceError } from '../../core/kernel/errors.ts'
import { ask, type Connection, RequestError } from '../request.ts'
import type { RowReader } from '../schema.ts'
import { type Row, rowText, type Types } from '../values.ts'

export interface LookupOptions {
  readonly columns?: readonly string[] | undefined
  /** Does not ask how far the log is: cheaper, and perhaps a moment old. */
  readonly stale?: boolean | undefined
  /** Makes the row where there is none, of its key and the next number of an `autoIncrement` column. */
  readonly insert?: boolean | undefined
}

export interface PrefixOptions extends Omit<LookupOptions, 'insert'> {
  /** Rows of a key at most; 1,000 if absent. */
  readonly limit?: number | undefined
}

export interface LookupTarget<T> {
  readonly connection: Connection
  /** That lookups of these options are sent to. */
  readonly path: string
  /** Beside the keys. */
  readonly options: LookupOptions & PrefixOptions
  readonly keysMax: number
  readonly reader: RowReader
  /** An answer for each key, as it came, and how its rows are read. */
  readonly read: (answers: readonly unknown[], reader: RowReader) => Promise<readonly T[]>
  readonly onIdle: () => void
}

interface Waiting<T> {
  readonly key: Row
  readonly resolve: (found: T) => void
  readonly reject: (error: unknown) => void
}

interface Asking<T> extends Waiting<T> {
  /** The key as JSON. */
  readonly text: string
}

const lingerMs = 1
/** Requests; more callers wait, and gather meanwhile. */
const inFlightMax = 8

export class Lookups<T> {
  readonly #target: LookupTarget<T>
  #waiting: Waiting<T>[] = []
  #inFlight = 0
  #timer: ReturnType<typeof setTimeout> | undefined

  constructor(target: LookupTarget<T>) {
    this.#target = target
  }

  find(key: Row): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ key, resolve, reject })
      if (this.#waiting.length >= this.#target.keysMax) this.#send()
      else this.#timer ??= setTimeout(() => this.#send(), lingerMs)
    })
  }

  #send(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    while (this.#waiting.length > 0 && this.#inFlight < inFlightMax) {
      this.#inFlight++
      void this.#answerAll(this.#waiting.splice(0, this.#target.keysMax)).then(() => this.#answered())
    }
  }

  #answered(): void {
    this.#inFlight--
    if (this.#waiting.length > 0 && this.#timer === undefined) this.#send()
    if (this.#waiting.length === 0 && this.#inFlight === 0) this.#target.onIdle()
  }

  async #answerAll(batch: readonly Waiting<T>[]): Promise<void> {
    try {
      const types = await this.#target.reader.types()
      const asked = batch.flatMap((each) => asking(each, types))
      if (asked.length > 0) await this.#answer(asked)
    } catch (error) {
      for (const { reject } of batch) reject(error)
    }
  }

  async #answer(batch: readonly Asking<T>[]): Promise<void> {
    try {
      const found = await this.#ask(batch)
      for (const [i, { resolve }] of batch.entries()) resolve(found[i] as T)
    } catch (error) {
      if (batch.length > 1 && isOfSome(error)) {
        const middle = batch.length >> 1
        await this.#answer(batch.slice(0, middle))
        await this.#answer(batch.slice(middle))
      } else for (const { reject } of batch) reject(error)
    }
  }

  async #ask(batch: readonly Asking<T>[]): Promise<readonly T[]> {
    const { connection, path, options, reader, read } = this.#target
    const keys = batch.map(({ text }) => text).join(',')
    const rest = JSON.stringify(options).slice(1)
    const body = `{"keys":[${keys}]${rest === '}' ? '' : ','}${rest}`
    const headers = { 'Content-Type': 'application/json', Accept: 'application/json' }
    // a row that an answer that was lost has made is found by the repeat
    const answer = await ask(connection, { method: 'POST', path, headers, body, isRead: !options.insert })
    const { rows } = JSON.parse(utf8Text(answer.bytes)) as { readonly rows?: unknown }
    if (Array.isArray(rows) && rows.length === batch.length) return read(rows, reader)
    throw new RequestError('internal', `${connection.url} answered something else than ${batch.length} keys`)
  }
}

/** Nothing of a key that is no JSON: its caller hears of it. */
function asking<T>(waiting: Waiting<T>, types: Types): readonly Asking<T>[] {
  try {
    return [{ ...waiting, text: rowText(waiting.key, types) }]
  } catch (error) {
    waiting.reject(error)
    return []
  }
}

/** What may be wrong with a part of the keys alone. */
const isOfSome = (error: unknown): boolean =>
  isSluiceError(error, 'invalid-rows') || isSluiceError(error, 'unknown-field') || isSluiceError(error, 'too-large')

/** Undefined where there is none. */
export async function readFound(answers: readonly unknown[], reader: RowReader): Promise<readonly (Row | undefined)[]> {
  const rows = (await reader.read(answers.filter((each): each is Row => each !== null))).values()
  return answers.map((each) => (each === null ? undefined : rows.next().value))
}

export async function readFoundLists(answers: readonly unknown[], reader: RowReader): Promise<readonly (readonly Row[])[]> {
  const lists = answers as readonly (readonly Row[])[]
  const rows = (await reader.read(lists.flat())).values()
  return lists.map((list) => list.map(() => rows.next().value as Row))
}
