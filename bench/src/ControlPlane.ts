import { Effect } from "effect"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { natsVersion, startNats } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import { canSyncAlways } from "@reelay/platform/NatsConfig"
import { makeConnection } from "@reelay/platform/PostgresConnection"
import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { Agent, request } from "node:http"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { latency, timedAll } from "./Figures.ts"
import { graphile } from "./Graphile.ts"
import type { Rates } from "./Graphile.ts"
import { processorMillis } from "./ProcessorTime.ts"

/**
 * What an export costs apart from its pixels: the api and the scheduler as they are, on a real Postgres and a real
 * nats-server, with an encoder that encodes nothing. Beside it, in the same run and on the same Postgres,
 * graphile-worker moves as many empty jobs.
 */
const IDLE = 200
const MANY = 2000
const CONCURRENCY = 32
const root = resolve(import.meta.dirname, "..", "..")
/** A folder: processes write their V8 profiles there. */
const profiles = process.env["REELAY_BENCH_PROFILES"]

/** Asked seldom where asking costs the farm something. */
const until = async (what: string, check: () => Promise<boolean>, everyMillis = 100, seconds = 180) => {
  for (const end = performance.now() + seconds * 1000; performance.now() < end;) {
    if (await check().catch(() => false)) return
    await new Promise((done) => setTimeout(done, everyMillis))
  }
  throw new Error(`waited ${seconds} s for ${what}`)
}

/** Node's own client, as lean as there is: its processor time is not the farm's. */
const clientOf = (url: string) => {
  const agent = new Agent({ keepAlive: true, maxSockets: CONCURRENCY })
  return (method: string, path: string, body?: unknown) =>
    new Promise<{ readonly status: number; readonly body: unknown }>((done, failed) => {
      const text = body === undefined ? undefined : JSON.stringify(body)
      const headers = text === undefined ? {} : { "content-type": "application/json", "content-length": text.length }
      const asked = request(`${url}${path}`, { method, agent, headers }, (response) => {
        const chunks: Array<Buffer> = []
        response.on("data", (chunk: Buffer) => chunks.push(chunk))
        response.on("end", () => {
          const text = Buffer.concat(chunks).toString()
          done({ status: response.statusCode ?? 0, body: text === "" ? null : JSON.parse(text) })
        })
        response.on("error", failed)
      })
      asked.on("error", failed)
      asked.end(text)
    })
}

/** What autovacuum does within a farm's first minute: statements were planned for tables that were almost empty. */
const analyze = async (url: string): Promise<void> => {
  const { close, sql } = makeConnection(url, {})
  await sql.unsafe("analyze")
  await Effect.runPromise(close)
}

/** One farm, measured; `sync`: when its NATS has messages on the disk. */
const measure = async (sync: "always" | "default", compare: (url: string) => Promise<Rates>): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), "reelay-bench-"))
  await chmod(folder, 0o755)
  await mkdir(join(folder, "store"))
  const secret = join(folder, "secret")
  await writeFile(secret, randomBytes(32), { mode: 0o600 })
  const passwords = { scheduler: "a", api: "b", encoder: "c", notifier: "d" }
  const postgres = await Effect.runPromise(startPostgres({ dataDirectory: join(folder, "postgres"), port: 0 }))
  const nats = await Effect.runPromise(startNats({ dataDirectory: join(folder, "nats"), port: 0, passwords, sync }))
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
    execa(
      process.execPath,
      [...(profiles === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${profiles}`]), join(root, main)],
      { env: { ...environment, ...env }, stdin: "ignore", stderr: "inherit", reject: false, buffer: false }
    )
  const scheduler = start("services/scheduler/src/main.ts", nats.environment("scheduler"))
  const api = start("services/api/src/main.ts", nats.environment("api"))
  const encoder = start("bench/src/NoopEncoder.ts", nats.environment("encoder"))
  const pids = {
    api: api.pid ?? 0,
    scheduler: scheduler.pid ?? 0,
    encoder: encoder.pid ?? 0,
    "nats-server": nats.pid,
    Postgres: postgres.pid
  }
  const call = clientOf(url)
  try {
    const claimed = new Map<string, number>()
    createInterface({ input: encoder.stdout }).on("line", (line) => {
      const [id, at] = line.split(" ")
      if (id !== undefined && at !== undefined && !claimed.has(id)) claimed.set(id, Number(at))
    })
    scheduler.stdout.resume()
    api.stdout.resume()
    await until("the services", async () => (await call("GET", "/health/ready")).status === 200)

    const clip = join(folder, "clip.mp4")
    const source = "testsrc2=s=320x180:r=30:d=60"
    await execa("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", source, "-preset", "ultrafast", clip])
    const upload = await execa("curl", ["-sS", "--data-binary", `@${clip}`, `${url}/api/videos?name=clip.mp4`])
    const { id: videoId } = JSON.parse(upload.stdout) as { readonly id: string }

    let asked = 0
    const ids: Array<string> = []
    const submit = async () => {
      // Another range each time: a look-up of an earlier result would be no export.
      const n = asked++
      const segments = [{ start: (n % 1000) / 30, end: (n % 1000) / 30 + 1 + Math.floor(n / 1000) / 30 }]
      const settings = { resolution: "source" }
      const { body, status } = await call("POST", "/api/exports", { videoId, segments, settings })
      if (status !== 202) throw new Error(`${status} ${JSON.stringify(body)}`)
      const { id } = body as { readonly id: string }
      ids.push(id)
      return id
    }
    const total = async (status: string) => {
      const { body } = await call("GET", `/api/exports?status=${status}&limit=1`)
      return (body as { readonly total: number }).total
    }
    const allDone = () => until("all of them", async () => (await total("completed")) === ids.length)
    const pause = (paused: boolean) => call("PUT", "/api/queue", { paused })

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
    await allDone()

    await analyze(postgres.url)

    const timed = async (work: () => Promise<unknown>) => {
      const own = process.cpuUsage()
      const before = await processorMillis(pids)
      const begun = performance.now()
      await work()
      const seconds = (performance.now() - begun) / 1000
      const after = await processorMillis(pids)
      const { system, user } = process.cpuUsage(own)
      const cost = Object.entries(after).map(([name, millis]) => [name, (millis - (before[name] ?? 0)) / MANY] as const)
      const lines = [...cost, ["this client", (system + user) / 1000 / MANY] as const]
      return { rate: MANY / seconds, cost: lines.map(([name, millis]) => `${name} ${millis.toFixed(2)}`).join(", ") }
    }
    await pause(true)
    let crowded: ReadonlyArray<number> = []
    const accept = await timed(async () => {
      crowded = await timedAll(MANY, CONCURRENCY, submit)
    })
    const drain = await timed(async () => {
      await pause(false)
      await allDone()
    })
    const whole = await timed(async () => {
      await timedAll(MANY, CONCURRENCY, submit)
      await allDone()
    })
    const theirs = await compare(postgres.url)

    const row = (what: string, ours: number, other: number) =>
      console.log(`  ${what.padEnd(38)}${ours.toFixed(0)}/s, ${other.toFixed(0)}/s, ${(ours / other).toFixed(2)}×`)
    console.log(`control plane (nats-server ${nats.version}, sync_interval: ${sync === "always" ? "always" : "2 min"})`)
    console.log(`  POST /api/exports, one at a time      ${latency(alone)}`)
    console.log(`  POST /api/exports, ${CONCURRENCY} at once          ${latency(crowded)}`)
    console.log(`  submit → first task at an encoder     ${latency(toStart)}`)
    console.log(`  ${MANY} exports, ${MANY} empty jobs of graphile-worker (${CONCURRENCY} at once), ratio`)
    row("accepted, nobody at work", accept.rate, theirs.accepted)
    row("worked off afterwards", drain.rate, theirs.drained)
    row("both at once", whole.rate, theirs.whole)
    console.log("  processor milliseconds for each export")
    console.log(`    accepted    ${accept.cost}`)
    console.log(`    worked off  ${drain.cost}`)
    console.log(`    both        ${whole.cost}`)
  } finally {
    for (const child of [api, scheduler, encoder]) child.kill(profiles === undefined ? "SIGKILL" : "SIGTERM")
    await Promise.all([api, scheduler, encoder])
    await Effect.runPromise(Effect.all([nats.stop, postgres.stop], { concurrency: 2 }))
    await rm(folder, { recursive: true, force: true })
  }
}

export const controlPlane = async (): Promise<void> => {
  const version = await Effect.runPromise(natsVersion())
  const settings = canSyncAlways(version) ? (["default", "always"] as const) : (["default"] as const)
  for (const sync of settings) await measure(sync, (url) => graphile(url, MANY, CONCURRENCY))
  if (settings.length === 1) console.log(`  nats-server ${version} knows no \`sync_interval: always\` (2.12 does)`)
}
