/** Durations `<n>ms|s|m|h|d` and sizes `<n>KiB|MiB|GiB` as option values. Printing takes the greatest unit that is exact. */
const durationUnits = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['m', 60_000],
  ['s', 1_000],
  ['ms', 1],
] as const
const sizeUnits = [
  ['GiB', 1 << 30],
  ['MiB', 1 << 20],
  ['KiB', 1 << 10],
] as const
type Units = readonly (readonly [string, number])[]

/** ms, or undefined where the text is no duration. */
export const parseDuration = (text: string): number | undefined => parseUnits(text, durationUnits)
/** Bytes, or undefined where the text is no size. */
export const parseSize = (text: string): number | undefined => parseUnits(text, sizeUnits)
export const printDuration = (ms: number): string => printUnits(ms, durationUnits)
export const printSize = (bytes: number): string => printUnits(bytes, sizeUnits)

function parseUnits(text: string, units: Units): number | undefined {
  const match = /^([0-9]{1,12})([A-Za-z]{1,3})$/.exec(text)
  const unit = units.find(([name]) => name === match?.[2])
  if (match === null || unit === undefined) return undefined
  const value = Number(match[1]) * unit[1]
  return Number.isSafeInteger(value) ? value : undefined
}

function printUnits(value: number, units: Units): string {
  const [name, size] = units.find(([, each]) => value !== 0 && value % each === 0) ?? units[units.length - 1] ?? ['', 1]
  return `${value / size}${name}`
}
