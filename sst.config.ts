/// <reference path="./.sst/platform/config.d.ts" />

export default $config({
  app(input) {
    return {
      name: 'sluice',
      removal: input.stage === 'production' ? 'retain' : 'remove',
      protect: input.stage === 'production',
      home: 'aws',
      providers: { aws: { region: 'us-east-1' } },
    }
  },
  async run() {
    const storage = await import('./infra/storage.ts')
    const http = await import('./infra/http.ts')
    await import('./infra/work.ts')
    return {
      bucket: storage.bucket.name,
      table: storage.table.name,
      ingest: http.ingest.url,
      read: http.read.url,
      admin: http.admin.url,
      catalog: http.catalog.url,
    }
  },
})
