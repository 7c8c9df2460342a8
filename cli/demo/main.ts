/** `sluice demo`: see cli/demo. */
import { Failure } from '../failure.ts'

export interface DemoFlags {
  readonly keyed?: boolean
  readonly data?: string
  readonly json?: boolean
}

export async function demo(flags: DemoFlags): Promise<void> {
  throw new Failure(`sluice demo${flags.keyed ? ' --keyed' : ''} is not in this build`)
}
