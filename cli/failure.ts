/** What a command says when it cannot: the message for people, and the exit status. */
export class Failure extends Error {
  readonly exitStatus: 1 | 2
  constructor(message: string, exitStatus: 1 | 2 = 1) {
    super(message)
    this.exitStatus = exitStatus
  }
}
