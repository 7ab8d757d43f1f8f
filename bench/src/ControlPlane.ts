import { Effect } from "effect"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { startNats } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import { execa } from "execa"
import { Logger, makeWorkerUtils, run } from "graphile-worker"
import { randomBytes } from "node:crypto"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { latency, timedAll } from "./Figures.ts"

/**
 * What an export costs apart from its pixels: the api and the scheduler as they are, on a real Postgres and a real
 * nats-server, with an encoder that encodes nothing. Beside it, in the same run and on the same Postgres,
 * graphile-worker moves as many empty jobs.
 */
const IDLE = 200
const MANY = 2000
const CONCURRENCY = 32
const root = resolve(import.meta.dirname, "..", "..")

/** Asked seldom where asking costs the farm something. */
const until = async (what: string, check: () => Promise<boolean>, everyMillis = 250, seconds = 180) => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    if (await check().catch(() => false)) return
    await new Promise((done) => setTimeout(done, everyMillis))
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}

const graphile = async (url: string): Promise<{ readonly enqueue: number; readonly whole: number }> => {
  // Its log lines would be half of its work.
  const logger = new Logger(() => () => {})
  const utils = await makeWorkerUtils({ connectionString: url, logger })
  await utils.migrate()
  let done = 0
  const begun = performance.now()
  const finished = Promise.withResolvers<void>()
  const runner = await run({
    connectionString: url,
    logger,
    concurrency: 50,
    taskList: {
      nothing: async () => {
        done++
        if (done === MANY) finished.resolve()
      }
    }
  })
  await timedAll(MANY, CONCURRENCY, (i) => utils.addJob("nothing", { i }))
  const enqueued = performance.now()
  await finished.promise
  const end = performance.now()
  await runner.stop()
  await utils.release()
  return { enqueue: (MANY * 1000) / (enqueued - begun), whole: (MANY * 1000) / (end - begun) }
}

export const controlPlane = async (): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-bench-"))
  await chmod(folder, 0o755)
  await mkdir(join(folder, "store"))
  const secret = join(folder, "secret")
  await writeFile(secret, randomBytes(32), { mode: 0o600 })
  const passwords = { scheduler: "a", api: "b", encoder: "c", notifier: "d" }
  const postgres = await Effect.runPromise(startPostgres({ dataDirectory: join(folder, "postgres"), port: 0 }))
  const nats = await Effect.runPromise(startNats({ dataDirectory: join(folder, "nats"), port: 0, passwords }))
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const environment = {
    DATABASE_URL: postgres.url,
    REELAY_STORE: join(folder, "store"),
    REELAY_SECRET_FILE: secret,
    REELAY_AUTH: "local",
    REELAY_PORT: String(port),
    REELAY_LOG_LEVEL: "Warn",
    // Far above what runs at once: the caps are not what is measured.
    REELAY_MAX_ACTIVE: "1000",
    REELAY_MAX_ACTIVE_PER_USER: "1000"
  }
  const start = (main: string, env: Readonly<Record<string, string>>) =>
    execa(process.execPath, [join(root, main)], {
      env: { ...environment, ...env },
      stdin: "ignore",
      stderr: "inherit",
      reject: false,
      buffer: false
    })
  const scheduler = start("services/scheduler/src/main.ts", nats.environment("scheduler"))
  const api = start("services/api/src/main.ts", nats.environment("api"))
  const encoder = start("bench/src/NoopEncoder.ts", nats.environment("encoder"))
  try {
    const claimed = new Map<string, number>()
    createInterface({ input: encoder.stdout }).on("line", (line) => {
      const [id, at] = line.split(" ")
      if (id !== undefined && at !== undefined && !claimed.has(id)) claimed.set(id, Number(at))
    })
    scheduler.stdout.resume()
    api.stdout.resume()
    await until("the services", async () => (await fetch(`${url}/health/ready`)).status === 200)

    const clip = join(folder, "clip.mp4")
    await execa("ffmpeg", [
      "-v",
      "error",
      "-f",
      "lavfi",
      "-i",
      "testsrc2=s=320x180:r=30:d=60",
      "-preset",
      "ultrafast",
      clip
    ])
    const upload = await execa("curl", ["-sS", "--data-binary", `@${clip}`, `${url}/api/videos?name=clip.mp4`])
    const { id: videoId } = JSON.parse(upload.stdout) as { readonly id: string }

    let asked = 0
    const ids: Array<string> = []
    const submit = async () => {
      // Another range each time: a look-up of an earlier result would be no export.
      const n = asked++
      const segments = [{ start: (n % 1000) / 30, end: (n % 1000) / 30 + 1 + Math.floor(n / 1000) / 30 }]
      const response = await fetch(`${url}/api/exports`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ videoId, segments, settings: { resolution: "source" } })
      })
      const made = (await response.json()) as { readonly id: string }
      if (response.status !== 202) throw new Error(`${response.status} ${JSON.stringify(made)}`)
      ids.push(made.id)
      return made.id
    }
    const total = async (status: string) => {
      const page = (await (await fetch(`${url}/api/exports?status=${status}&limit=1`)).json()) as {
        readonly total: number
      }
      return page.total
    }

    for (let i = 0; i < 20; i++) await submit()
    await until("the warm-up", async () => (await total("completed")) >= 20)

    const started: Array<number> = []
    const accepted = await timedAll(IDLE, 1, async () => {
      const begun = performance.timeOrigin + performance.now()
      const id = await submit()
      started.push(begun)
      await until("its claim", async () => claimed.has(id), 2)
    }).then(() => ids.slice(20))
    const toStart = accepted.map((id, i) => (claimed.get(id) ?? Number.NaN) - (started[i] ?? Number.NaN))
    const alone = await timedAll(IDLE, 1, submit)
    await until("the queue to empty", async () => (await total("completed")) === ids.length)

    const begun = performance.now()
    const crowded = await timedAll(MANY, CONCURRENCY, submit)
    const submitted = performance.now()
    await until("all of them", async () => (await total("completed")) === ids.length)
    const ended = performance.now()
    const theirs = await graphile(postgres.url)
    const ours = { accept: (MANY * 1000) / (submitted - begun), whole: (MANY * 1000) / (ended - begun) }

    console.log(`control plane (nats-server ${nats.version}, sync_interval: default 2 min; \`always\` needs 2.12)`)
    console.log(`  POST /api/exports, one at a time      ${latency(alone)}`)
    console.log(`  POST /api/exports, ${CONCURRENCY} at once          ${latency(crowded)}`)
    console.log(`  submit → first task at an encoder     ${latency(toStart)}`)
    console.log(`  ${MANY} exports, accepted               ${ours.accept.toFixed(0)}/s`)
    console.log(`  ${MANY} exports, accepted to completed  ${ours.whole.toFixed(0)}/s`)
    console.log(
      `  graphile-worker, ${MANY} empty jobs     ${theirs.enqueue.toFixed(0)}/s added, ${theirs.whole.toFixed(0)}/s whole`
    )
    console.log(`  ours : graphile-worker                ${(ours.whole / theirs.whole).toFixed(2)}×`)
  } finally {
    for (const child of [api, scheduler, encoder]) child.kill("SIGKILL")
    await Promise.all([api, scheduler, encoder])
    await Effect.runPromise(Effect.all([nats.stop, postgres.stop], { concurrency: 2 }))
    await rm(folder, { recursive: true, force: true })
  }
}
