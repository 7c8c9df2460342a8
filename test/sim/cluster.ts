/**
 * Function environments: cold, warm, frozen, killed, duplicated. Each has a process (clock skew of its own), a world
 * and a log of its own. In `lambda` mode an environment serves one invocation at a time and may be frozen from the
 * reply to the next invocation, so that work left running resumes there; in `server` mode it serves many at once.
 */
import type { Kv } from '../../core/kv/kv.ts'
import type { Log } from '../../core/log/log.ts'
import type { World } from '../../core/ports/world.ts'
import { Process } from './process.ts'
import type { Seeded } from './random.ts'
import type { Scheduler } from './scheduler.ts'
import type { Trace } from './trace.ts'

export interface Environment {
  readonly role: string
  readonly process: Process
  readonly world: World
  readonly log: Log
  readonly kv: Kv
  /** What a function keeps between invocations. */
  readonly cache: Map<string, unknown>
  active: number
  idleFrozen: boolean
}

export interface ClusterOptions {
  readonly mode: 'lambda' | 'server'
  /** Per role. */
  environmentsMax: number
  readonly skewMsMax: number
  coldRate: number
  /** In lambda mode: that an idle environment is frozen, else it runs on. */
  idleFreezeRate: number
  idleKillRate: number
  /** That an invocation marked repeatable runs in a second environment as well. */
  duplicateRate: number
}

/** `lost`: the environment died or the caller gave up; the effect is unknown. */
export type Outcome<T> =
  | { readonly is: 'answer'; readonly value: T }
  | { readonly is: 'error'; readonly error: unknown }
  | { readonly is: 'lost' }

export interface Invocation<T> {
  readonly role: string
  readonly name: string
  readonly timeoutMs: number
  /** May run twice: at least once delivery, or a request with a producer. */
  readonly repeatable: boolean
  readonly run: (environment: Environment) => Promise<T>
}

export class Cluster {
  readonly options: ClusterOptions
  readonly environments: Environment[] = []
  readonly #scheduler: Scheduler
  readonly #random: Seeded
  readonly #trace: Trace
  readonly #build: (process: Process) => { readonly world: World; readonly log: Log; readonly kv: Kv }
  #made = 0

  constructor(parts: {
    scheduler: Scheduler
    random: Seeded
    trace: Trace
    options: ClusterOptions
    build: (process: Process) => { readonly world: World; readonly log: Log; readonly kv: Kv }
  }) {
    this.#scheduler = parts.scheduler
    this.#random = parts.random
    this.#trace = parts.trace
    this.options = parts.options
    this.#build = parts.build
  }

  async invoke<T>(invocation: Invocation<T>): Promise<Outcome<T>> {
    if (invocation.repeatable && this.#random.chance(this.options.duplicateRate)) {
      this.#scheduler.after(this.#random.magnitude(1, 60_000), 'timer', () => {
        void this.#run(this.#choose(invocation.role), { ...invocation, name: `${invocation.name} again` })
      })
    }
    return this.#run(this.#choose(invocation.role), invocation)
  }

  sleep(ms: number): Promise<void> {
    return new Promise((resolve) => this.#scheduler.after(ms, 'timer', resolve))
  }

  /** Ends every environment's freeze or life, as a deploy or a reboot does. */
  settle(killRate: number): void {
    for (const environment of this.environments) {
      if (this.#random.chance(killRate)) environment.process.kill()
      else environment.process.thaw()
    }
  }

  #run<T>(environment: Environment, invocation: Invocation<T>): Promise<Outcome<T>> {
    const { process } = environment
    environment.active++
    if (environment.idleFrozen) {
      environment.idleFrozen = false
      process.thaw()
    }
    this.#trace.add(`${process.id} begins ${invocation.name}`)
    return new Promise((resolve) => {
      let answered = false
      const answer = (outcome: Outcome<T>): void => {
        if (answered) return
        answered = true
        this.#trace.add(`${process.id} ${outcome.is} ${invocation.name}`)
        resolve(outcome)
      }
      const finish = (outcome: Outcome<T>): void => {
        environment.active--
        if (!process.alive) return
        answer(outcome)
        if (environment.active === 0) this.#idle(environment)
      }
      process.onKill(() => this.#scheduler.after(this.#random.between(1, 50), 'timer', () => answer({ is: 'lost' })))
      this.#scheduler.after(invocation.timeoutMs, 'timer', () => answer({ is: 'lost' }))
      process.deliver(() => {
        invocation.run(environment).then(
          (value) => finish({ is: 'answer', value }),
          (error: unknown) => finish({ is: 'error', error }),
        )
      })
    })
  }

  #idle(environment: Environment): void {
    if (this.options.mode !== 'lambda') return
    if (this.#random.chance(this.options.idleKillRate)) {
      this.#trace.add(`${environment.process.id} is killed idle`)
      environment.process.kill()
    } else if (this.#random.chance(this.options.idleFreezeRate)) {
      environment.idleFrozen = true
      environment.process.freeze()
    }
  }

  #choose(role: string): Environment {
    const warm: Environment[] = []
    let count = 0
    for (const environment of this.environments) {
      if (environment.role !== role || !environment.process.alive) continue
      count++
      if (this.options.mode === 'server' || environment.active === 0) warm.push(environment)
    }
    const roomy = count < this.options.environmentsMax
    if (warm.length === 0 || (roomy && this.#random.chance(this.options.coldRate))) return this.#start(role)
    return this.#random.pick(warm)
  }

  #start(role: string): Environment {
    const { skewMsMax } = this.options
    const process = new Process(`${role}${++this.#made}`, this.#scheduler, this.#random.between(-skewMsMax, skewMsMax))
    const environment = { role, process, ...this.#build(process), cache: new Map(), active: 0, idleFrozen: false }
    this.environments.push(environment)
    return environment
  }
}
