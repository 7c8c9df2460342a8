/**
 * Who may import whom: docs/architecture.md, as rules. Imports go down only; rooms on one level do not know each other.
 * Type-only imports count. Tests and case suites may import what they need to build a world; nothing may import them.
 * The compiler of TypeScript 7 has no API that dependency-cruiser can use: swc parses, or TypeScript 6 where there is no swc.
 */
import { createRequire } from 'node:module'

const coreLevels = [
  ['kernel'],
  ['ports', 'model'],
  ['format'],
  ['jobs', 'catalog', 'access', 'lake'],
  ['log'],
  ['kv'],
  ['tier'],
  ['query'],
]
const layers = ['core', 'stores', 'functions', 'serve', 'cli']
const tests = '\\.(test|case)\\.ts$'
const browserSafe = '^(contract|client|core/(kernel|model|format/(arrow|json)))/'

export default {
  forbidden: [
    ...coreLevels.map((rooms, level) => ({
      name: `core-level-${rooms.join('-')}`,
      comment: `core/{${rooms}} imports itself and the levels below: ${coreLevels.map((each) => each.join(', ')).join(' < ')}`,
      severity: 'error',
      from: { path: `^core/(${rooms.join('|')})/`, pathNot: tests },
      to: { path: '^core/', pathNot: [...below(level).map((room) => `^core/${room}/`), '^core/$1/'] },
    })),
    ...layers
      .map((layer, index) => ({
        name: `layer-${layer}`,
        comment: `${layer} never imports what is above it: ${layers.join(' < ')}`,
        severity: 'error',
        from: { path: `^${layer}/`, pathNot: tests },
        to: { path: `^(${[...layers.slice(index + 1), 'client', 'console', 'test', 'bench', 'infra', 'bin'].join('|')})/` },
      }))
      .map((rule) => (rule.name === 'layer-cli' ? { ...rule, to: { path: '^(console|test|bench|infra|bin)/' } } : rule)),
    {
      name: 'core-knows-no-contract',
      severity: 'error',
      from: { path: '^(core|stores)/', pathNot: tests },
      to: { path: '^contract/' },
    },
    {
      name: 'contract-imports-kernel-and-model',
      severity: 'error',
      from: { path: '^contract/', pathNot: tests },
      to: { path: '^(core|stores|functions|serve|cli|client|console|test|bench|infra|bin)/', pathNot: '^core/(kernel|model)/' },
    },
    {
      name: 'client-imports-what-a-browser-can-run',
      severity: 'error',
      from: { path: '^client/', pathNot: tests },
      to: {
        path: '^(core|stores|functions|serve|cli|console|test|bench|infra|bin)/',
        pathNot: '^core/(kernel|model|format/(arrow|json))/',
      },
    },
    {
      name: 'console-imports-client',
      severity: 'error',
      from: { path: '^console/', pathNot: tests },
      to: { path: '^(core|contract|stores|functions|serve|cli|test|bench|infra|bin)/' },
    },
    {
      name: 'only-stores-import-the-aws-sdk',
      severity: 'error',
      from: { pathNot: '^stores/' },
      to: { path: '(^|/)@aws-sdk/|(^|/)@smithy/' },
    },
    {
      name: 'no-node-api-where-a-browser-runs',
      severity: 'error',
      from: { path: browserSafe, pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-uses-pure-node-modules-only',
      comment: 'crc32 and createHash are pure; everything else reads the world and comes through a port',
      severity: 'error',
      from: { path: '^core/', pathNot: tests },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(zlib|crypto)$' },
    },
    {
      name: 'core-reads-foreign-formats-itself',
      comment: 'apache-arrow, icebird and the demo data set serve tests, benches and the demo',
      severity: 'error',
      from: { path: '^(core|contract|functions|serve|stores)/', pathNot: tests },
      to: { path: '(^|/)node_modules/(apache-arrow|icebird|vega-datasets|listr2|commander|csv-parse)/' },
    },
    {
      name: 'nothing-imports-tests',
      severity: 'error',
      from: { pathNot: [tests, '^test/'] },
      to: { path: tests },
    },
    {
      name: 'no-development-packages',
      severity: 'error',
      from: { path: '^(core|contract|functions|serve|stores|cli|client|console)/', pathNot: tests },
      to: { dependencyTypes: ['npm-dev'], dependencyTypesNot: ['type-only'] },
    },
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
  ],
  options: {
    parser: parserInstalled(),
    tsPreCompilationDeps: true,
    combinedDependencies: true,
    doNotFollow: { path: 'node_modules' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'default', 'types'],
      mainFields: ['module', 'main', 'types'],
    },
  },
}

function below(level) {
  return coreLevels.slice(0, level).flat()
}

/** Without a parser that it can use, dependency-cruiser finds no module and calls that a success. */
function parserInstalled() {
  const require = createRequire(import.meta.url)
  try {
    require.resolve('@swc/core')
    return 'swc'
  } catch {
    const { version } = require('typescript/package.json')
    if (Number.parseInt(version, 10) === 6) return 'tsc'
    throw new Error(`typescript ${version} cannot parse for dependency-cruiser: install @swc/core, or typescript 6`)
  }
}
