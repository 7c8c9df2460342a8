/**
 * The network of the small world. Each call meets each fate, while the budget of faults lasts, and calls that touch what
 * others touch too arrive in every order. Calls that nobody else can see (an object of one's own, a mark) commute with
 * all others and arrive at once. A reply follows its arrival at once: when it comes matters only through the calls that follow.
 */
import { SluiceError } from '../../../core/kernel/errors.ts'
import type { Call } from '../fates.ts'
import type { Manner, Network } from '../network.ts'
import type { Process } from '../process.ts'
import type { Trace } from '../trace.ts'
import type { Choices } from './choices.ts'
import { Answers } from './states.ts'

const readFates = ['ok', 'refused', 'crash-before'] as const
const writeFates = ['ok', 'refused', 'lost-ack', 'late', 'crash-before', 'crash-between'] as const
type SmallFate = (typeof writeFates)[number]

export class SmallNetwork implements Network {
  readonly #choices: Choices
  readonly #trace: Trace
  readonly #pending: (() => void)[] = []
  readonly answers = new Answers()
  /** Faults that may still be placed. */
  budget = 0
  calls = 0
  /** No actor of the story changes the table's item. */
  isTableQuiet = true

  constructor(choices: Choices, trace: Trace) {
    this.#choices = choices
    this.#trace = trace
  }

  get isWaiting(): boolean {
    return this.#pending.length > 0
  }

  /** One of the calls under way arrives. False when there is none. */
  step(): boolean {
    if (this.#pending.length === 0) return false
    const [arrive] = this.#pending.splice(this.#choices.choose(this.#pending.length), 1)
    arrive?.()
    return true
  }

  call<T>(from: Process, call: Call, effect: (manner: Manner) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!from.alive) return
      const name = `#${++this.calls} ${from.id} ${call.store}.${call.operation} ${call.name}`
      const fate = this.#fate(call)
      if (fate !== 'ok') this.#trace.add(`${name} ${fate}`)
      if (fate === 'crash-before') return from.kill()
      const mark = this.answers.begin(from, fate)
      const answer = (given: unknown): void => this.answers.answered(from, mark, given)
      const fail = (error: unknown): void => {
        answer(error)
        reject(error)
      }
      if (fate === 'refused') {
        this.answers.arrived(from, mark)
        return fail(new SluiceError('throttled', `${call.operation} was refused`))
      }
      const unknown = (): SluiceError => new SluiceError('unavailable', `${call.operation} timed out`, { effect: 'unknown' })
      if (fate === 'late') fail(unknown())
      this.#arrive(call, () => {
        const outcome = attempt(effect)
        this.answers.arrived(from, mark)
        this.#trace.add(`${name} arrives`)
        if (fate === 'late') return
        if (fate === 'crash-between') return from.kill()
        from.deliver(() => {
          if (fate === 'lost-ack') return fail(unknown())
          if ('error' in outcome) return fail(outcome.error)
          answer(outcome.value)
          resolve(outcome.value)
        })
      })
    })
  }

  #fate(call: Call): SmallFate {
    if (this.budget === 0) return 'ok'
    const fates: readonly SmallFate[] = call.writes ? writeFates : readFates
    const fate = fates[this.#choices.choose(fates.length)] as SmallFate
    if (fate !== 'ok') this.budget--
    return fate
  }

  #arrive(call: Call, run: () => void): void {
    if (isPrivate(call, this.isTableQuiet)) run()
    else this.#pending.push(run)
  }
}

/** Objects have random names, marks too: creating one commutes with everything. So does reading a table that nobody drops. */
const isPrivate = (call: Call, isTableQuiet: boolean): boolean =>
  (isTableQuiet && call.operation === 'get' && call.name.startsWith('db/')) ||
  (call.operation === 'create' && (call.store === 'objects' || call.name.startsWith('due#')))

function attempt<T>(effect: (manner: Manner) => T): { readonly value: T } | { readonly error: unknown } {
  try {
    return { value: effect('plain') }
  } catch (error) {
    return { error }
  }
}
