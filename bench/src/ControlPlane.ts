import { Effect } from "effect"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { natsVersion, startNats } from "@reelay/platform/embedded/Nats"
import { startPostgres } from "@reelay/platform/embedded/Postgres"
import { canSyncAlways } from "@reelay/platform/NatsConfig"
import { makeConnection } from "@reelay/platform/PostgresConnection"
import { execa } from "execa"
import { randomBytes } from "node:crypto"
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { createInterface } from "node:readline"
import { latency, median, timedAll } from "./Figures.ts"
import { openGraphile } from "./Graphile.ts"
import { clientOf, until } from "./LeanClient.ts"
import { startSameJob } from "./SameJobFarm.ts"
import { costText, middle, timed } from "./Timed.ts"
import type { Timed } from "./Timed.ts"

/**
 * What an export costs apart from its pixels: the api and the scheduler as they are, on a real Postgres and a real
 * nats-server, with an encoder that encodes nothing. Beside it, in the same run and on the same Postgres,
 * graphile-worker, twice: it moves as many empty jobs, which are added by calls of its library and leave nothing behind;
 * and it carries the same main job, as a team would build it on it: an HTTP server, an Idempotency-Key, a row that is
 * accepted, processing and completed (`SameJob.ts`).
 */
const IDLE = 200
const MANY = 2000
/** Everything at once, in turns, since a machine is not the same from one minute to the next. */
const ROUNDS = 3
const EACH = 1000
const WARM_UP = 200
const CONCURRENCY = 32
const root = resolve(import.meta.dirname, "..", "..")
/** A folder: processes write their V8 profiles there. */
const profiles = process.env["REELAY_BENCH_PROFILES"]

/** What autovacuum does within a farm's first minute: statements were planned for tables that were almost empty. */
const analyze = async (url: string): Promise<void> => {
  const { close, sql } = makeConnection(url, {})
  await sql.unsafe("analyze")
  await Effect.runPromise(close)
}

/** One farm, measured; `sync`: when its NATS has messages on the disk. */
const measure = async (sync: "always" | "default"): Promise<void> => {
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
  const call = clientOf(url, CONCURRENCY)
  const graphile = await openGraphile(postgres.url, CONCURRENCY)
  const same = await startSameJob(postgres.url, CONCURRENCY)
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
    const submit = async (keyed = false) => {
      // Another range each time: a look-up of an earlier result would be no export.
      const n = asked++
      const segments = [{ start: (n % 1000) / 30, end: (n % 1000) / 30 + 1 + Math.floor(n / 1000) / 30 }]
      const settings = { resolution: "source" }
      const headers = keyed ? { "idempotency-key": `bench-${n}` } : {}
      const { body, status } = await call("POST", "/api/exports", { videoId, segments, settings }, headers)
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
    const alone = await timedAll(IDLE, 1, () => submit())
    await allDone()

    await analyze(postgres.url)

    await pause(true)
    let crowded: ReadonlyArray<number> = []
    const accept = await timed(pids, MANY, async () => {
      crowded = await timedAll(MANY, CONCURRENCY, () => submit())
    })
    const drain = await timed(pids, MANY, async () => {
      await pause(false)
      await allDone()
    })
    const database = { Postgres: postgres.pid }
    const added = await timed(database, MANY, () => graphile.add(MANY))
    let stopWorker = () => Promise.resolve()
    const worked = await timed(database, MANY, async () => {
      stopWorker = await graphile.drain(MANY)
    })
    await stopWorker()

    const whole = async (keyed: boolean) => {
      await timedAll(EACH, CONCURRENCY, () => submit(keyed))
      await allDone()
    }
    await same.run(WARM_UP)
    const rounds: Array<{ readonly [What in "ours" | "empty" | "keyed" | "same"]: Timed }> = []
    for (let round = 0; round < ROUNDS; round++) {
      const ours = await timed(pids, EACH, () => whole(false))
      const jobs = await graphile.both(EACH)
      const empty = await timed(database, EACH, jobs.run)
      await jobs.stop()
      const keyed = await timed(pids, EACH, () => whole(true))
      rounds.push({
        ours,
        empty,
        keyed,
        same: await timed({ ...same.pids, ...database }, EACH, () => same.run(EACH))
      })
    }

    const row = (what: string, ours: Timed, other: Timed, ratio = ours.rate / other.rate) =>
      console.log(
        `    ${what.padEnd(26)}${ours.rate.toFixed(0)}/s : ${other.rate.toFixed(0)}/s = ${ratio.toFixed(2)}×\n`
          + `      ours    ${costText(ours)}\n      theirs  ${costText(other)}`
      )
    const both = (ours: "ours" | "keyed", other: "empty" | "same") => {
      const ratio = median(rounds.map((round) => round[ours].rate / round[other].rate))
      row("accepted and worked off", middle(rounds.map((r) => r[ours])), middle(rounds.map((r) => r[other])), ratio)
    }
    console.log(`control plane (nats-server ${nats.version}, sync_interval: ${sync === "always" ? "always" : "2 min"})`)
    console.log(`  POST /api/exports, one at a time      ${latency(alone)}`)
    console.log(`  POST /api/exports, ${CONCURRENCY} at once          ${latency(crowded)}`)
    console.log(`  submit → first task at an encoder     ${latency(toStart)}`)
    console.log(
      `  Below: a second, and processor time for each; ${CONCURRENCY} at once. What is accepted and worked off:`
    )
    console.log(`  medians of ${ROUNDS} rounds of ${EACH}, in turns.`)
    console.log(`  exports : empty jobs of graphile-worker, added by calls of its library, that leave nothing behind`)
    row("accepted, nobody at work", accept, added)
    row("worked off afterwards", drain, worked)
    both("ours", "empty")
    console.log(`  exports : the same main job on graphile-worker (HTTP, Idempotency-Key, a row with its states)`)
    both("keyed", "same")
  } finally {
    await graphile.close()
    await same.stop()
    for (const child of [api, scheduler, encoder]) child.kill(profiles === undefined ? "SIGKILL" : "SIGTERM")
    await Promise.all([api, scheduler, encoder])
    await Effect.runPromise(Effect.all([nats.stop, postgres.stop], { concurrency: 2 }))
    await rm(folder, { recursive: true, force: true })
  }
}

export const controlPlane = async (): Promise<void> => {
  const version = await Effect.runPromise(natsVersion())
  const settings = canSyncAlways(version) ? (["default", "always"] as const) : (["default"] as const)
  for (const sync of settings) await measure(sync)
  if (settings.length === 1) console.log(`  nats-server ${version} knows no \`sync_interval: always\` (2.12 does)`)
}
