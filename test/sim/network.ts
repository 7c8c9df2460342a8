/**
 * Between a process and a store: each call is two events, *arrive* and *reply*, and meets one fate. An effect
 * happens at arrival, whole, whatever became of the caller; a request under way outlives its sender.
 */
import { SluiceError } from '../../core/kernel/errors.ts'
import type { Call, Fates, Plan } from './fates.ts'
import type { Process } from './process.ts'
import type { Scheduler } from './scheduler.ts'
import type { Trace } from './trace.ts'

/** How an effect is carried out; stores treat all others as `plain`. */
export type Manner = 'plain' | 'stale' | 'corrupt' | 'partial'

export interface Network {
  call<T>(from: Process, call: Call, effect: (manner: Manner) => T): Promise<T>
}

type Answer<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }

export class SimulatedNetwork implements Network {
  readonly #scheduler: Scheduler
  readonly #fates: Fates
  readonly #trace: Trace
  #calls = 0

  constructor(scheduler: Scheduler, fates: Fates, trace: Trace) {
    this.#scheduler = scheduler
    this.#fates = fates
    this.#trace = trace
  }

  call<T>(from: Process, call: Call, effect: (manner: Manner) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (!from.alive) return
      const plan = this.#fates.plan(call)
      const name = `#${++this.#calls} ${from.id} ${call.store}.${call.operation} ${call.name}`
      const line = (what: string): void => this.#trace.add(`${name} ${what}`)
      if (plan.fate === 'crash-before') {
        line('crash-before')
        from.kill()
        return
      }
      const reply = (ms: number, answer: Answer<T>): void => {
        this.#scheduler.after(ms + from.lagMs, 'reply', () => {
          if (plan.freezeMs > 0 && from.running) {
            line(`frozen for ${plan.freezeMs}`)
            from.freeze(plan.freezeMs)
          }
          from.deliver(() => (answer.ok ? resolve(answer.value) : reject(answer.error)))
        })
      }
      const arrive = (ms: number, then: (answer: Answer<T>) => void): void => {
        this.#scheduler.after(ms, 'arrive', () => {
          if (plan.fate === 'duplicate') line(`duplicate first ${said(attempt(effect, 'plain'))}`)
          const answer = attempt(effect, mannerOf(plan))
          line(`${plan.fate} ${said(answer)}`)
          then(answer)
        })
      }
      this.#meet(from, call, plan, { arrive, reply, line })
    })
  }

  #meet<T>(from: Process, call: Call, plan: Plan, steps: Steps<T>): void {
    const { arrive, reply, line } = steps
    switch (plan.fate) {
      case 'refused':
        line('refused')
        return reply(plan.arriveMs + plan.replyMs, { ok: false, error: refused(call, plan) })
      case 'lost-request':
        line('lost-request')
        return reply(plan.timeoutMs, gaveUp(call))
      case 'lost-ack':
        arrive(plan.arriveMs, () => {})
        return reply(plan.arriveMs + plan.timeoutMs, gaveUp(call))
      case 'late':
        arrive(plan.timeoutMs + plan.lateMs, () => {})
        return reply(plan.timeoutMs, gaveUp(call))
      case 'crash-between':
        return arrive(plan.arriveMs, () => from.kill())
      default:
        return arrive(plan.arriveMs, (answer) => reply(plan.replyMs, answer))
    }
  }
}

interface Steps<T> {
  readonly arrive: (ms: number, then: (answer: Answer<T>) => void) => void
  readonly reply: (ms: number, answer: Answer<T>) => void
  readonly line: (what: string) => void
}

function mannerOf(plan: Plan): Manner {
  return plan.fate === 'stale' || plan.fate === 'corrupt' || plan.fate === 'partial' ? plan.fate : 'plain'
}

function attempt<T>(effect: (manner: Manner) => T, manner: Manner): Answer<T> {
  try {
    return { ok: true, value: effect(manner) }
  } catch (error) {
    return { ok: false, error }
  }
}

function said<T>(answer: Answer<T>): string {
  if (!answer.ok) return answer.error instanceof SluiceError ? answer.error.code : String(answer.error)
  const value: unknown = answer.value
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null && 'done' in value) return value.done === true ? 'done' : 'not done'
  return 'answered'
}

function gaveUp(call: Call): { readonly ok: false; readonly error: unknown } {
  const effect = call.writes ? 'unknown' : 'none'
  return { ok: false, error: new SluiceError('unavailable', `${call.store} ${call.operation} timed out`, { effect }) }
}

const refused = (call: Call, plan: Plan): SluiceError =>
  new SluiceError(plan.replyMs % 2 === 0 ? 'throttled' : 'unavailable', `${call.store} ${call.operation} was refused`)
