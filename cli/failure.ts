/** What a command says when it cannot: the message for people, the exit status and, where there is one, the command that helps. */
export class Failure extends Error {
  readonly exitStatus: 1 | 2
  /** Of the contract, or `unreachable`. */
  readonly code: string | undefined
  /** What to type next. */
  readonly fix: string | undefined
  constructor(
    message: string,
    exitStatus: 1 | 2 = 1,
    { code, fix }: { code?: string | undefined; fix?: string | undefined } = {},
  ) {
    super(message)
    this.exitStatus = exitStatus
    this.code = code
    this.fix = fix
  }
}

const passing: ReadonlySet<string | undefined> = new Set(['unreachable', 'unavailable', 'throttled', 'timeout'])

/** The same call may go through later: the server restarts, or is busy. */
export const isPassing = (error: unknown): error is Failure => error instanceof Failure && passing.has(error.code)
