import { makeWorkerUtils, Logger, run } from "graphile-worker"
import { createServer } from "node:http"
import type { IncomingMessage } from "node:http"

/**
 * The same main job as a team would build it on graphile-worker: `SameJob.ts serve` is a plain HTTP server that accepts
 * an export under its Idempotency-Key, with a row and a job in one statement; `SameJob.ts work` takes the jobs, marks
 * their rows as processing and then as completed, and does nothing in between. Both are as lean as that can be said:
 * no authentication, no contract, no look at the video, no history.
 */
const WORKERS = 50
const connectionString = process.env["DATABASE_URL"] ?? ""
const port = Number(process.env["REELAY_PORT"])
const logger = new Logger(() => () => {})

const TABLE = `create table if not exists same_job (
  id uuid primary key default gen_random_uuid(),
  user_id text not null,
  idempotency_key text,
  request jsonb not null,
  status text not null default 'pending',
  created_at timestamptz not null default now(),
  started_at timestamptz,
  completed_at timestamptz,
  unique (user_id, idempotency_key)
)`
const ACCEPT = `with made as (
  insert into same_job (user_id, idempotency_key, request) values ('local', $1, $2)
  on conflict (user_id, idempotency_key) do nothing
  returning id, status, created_at
), queued as (
  select graphile_worker.add_job('export', json_build_object('id', id)) from made
)
select made.* from made, queued`
const KNOWN = `select id, status, created_at from same_job where user_id = 'local' and idempotency_key = $1`
const LEFT = `select count(*)::int as left from same_job where status <> 'completed'`
const BEGIN = `update same_job set status = 'processing', started_at = now() where id = $1 and status = 'pending'`
const END = `update same_job set status = 'completed', completed_at = now() where id = $1 and status = 'processing'`

const bodyOf = async (request: IncomingMessage): Promise<unknown> => {
  const chunks: Array<Buffer> = []
  for await (const chunk of request) chunks.push(chunk)
  return JSON.parse(Buffer.concat(chunks).toString())
}
const isExport = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "videoId" in body && typeof body.videoId === "string"

const serve = async (): Promise<void> => {
  const utils = await makeWorkerUtils({ connectionString, logger, maxPoolSize: 10 })
  await utils.migrate()
  const query = (text: string, values: ReadonlyArray<unknown> = []) =>
    utils.withPgClient((client) => client.query({ name: text.slice(0, 60), text, values: [...values] }))
  await query(TABLE)
  createServer(async (request, response) => {
    const answer = (status: number, body: unknown) =>
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body))
    try {
      if (request.method !== "POST") return answer(200, (await query(LEFT)).rows[0])
      const body = await bodyOf(request)
      if (!isExport(body)) return answer(400, { title: "no export" })
      const key = request.headers["idempotency-key"] ?? null
      const made = await query(ACCEPT, [key, JSON.stringify(body)])
      answer(202, made.rows[0] ?? (await query(KNOWN, [key])).rows[0])
    } catch (cause) {
      answer(500, { title: String(cause) })
    }
  }).listen(port, "127.0.0.1")
}

const work = async (): Promise<void> => {
  await run({
    connectionString,
    logger,
    concurrency: WORKERS,
    taskList: {
      export: async (payload, { query }) => {
        const { id } = payload as { readonly id: string }
        await query(BEGIN, [id])
        await query(END, [id])
      }
    }
  })
}

await (process.argv[2] === "serve" ? serve() : work())
