/**
 * How an engine reaches objects on S3, as the `config` of a table says it: in the names of PyIceberg (s3.region) and of Iceberg's
 * Java library (client.region). Engines bring credentials of their own; none is given away here.
 */
export function s3EngineOptions(s3: {
  readonly endpoint?: string | undefined
  readonly region?: string | undefined
  readonly pathStyle?: boolean
}): Readonly<Record<string, string>> {
  return {
    ...(s3.endpoint !== undefined && { 's3.endpoint': s3.endpoint }),
    ...(s3.region !== undefined && { 's3.region': s3.region, 'client.region': s3.region }),
    ...(s3.pathStyle === true && { 's3.path-style-access': 'true' }),
  }
}
