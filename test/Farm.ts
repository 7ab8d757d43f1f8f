import { jetstreamManager } from "@nats-io/jetstream"
import { Items } from "@reelay/contracts/api/Page"
import { Export, isTerminal, Progress } from "@reelay/contracts/Export"
import { Video } from "@reelay/contracts/Media"
import { Node } from "@reelay/contracts/Node"
import { freePort } from "@reelay/platform/embedded/FreePort"
import { Schema } from "effect"
import { execa } from "execa"
import { connect, type NatsConnection } from "nats"
import { createReadStream, createWriteStream } from "node:fs"
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { basename, join, resolve } from "node:path"
import { Readable } from "node:stream"
import { pipeline } from "node:stream/promises"
import { onTestFinished } from "vitest"

/**
 * A whole Reelay on this machine, seen from outside: what `npm start` runs, on a port and a data folder of its own.
 * Tests talk to it over HTTP and hurt it through the pids of processes.json, as an operator's bad day would.
 */
export type Role = "api" | "scheduler" | "encoder" | "notifier" | "nats" | "postgres"

const ProcessList = Schema.Array(
  Schema.Struct({
    role: Schema.Literals(["api", "scheduler", "encoder", "notifier", "nats", "postgres"]),
    pid: Schema.Int,
    port: Schema.NullOr(Schema.Int)
  })
)
const decode = {
  processes: Schema.decodeUnknownSync(Schema.fromJsonString(ProcessList)),
  video: Schema.decodeUnknownSync(Video),
  export: Schema.decodeUnknownSync(Export),
  nodes: Schema.decodeUnknownSync(Items(Node)),
  progress: Schema.decodeUnknownSync(Progress)
}

const root = resolve(import.meta.dirname, "..")

export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: unknown
}

/** Polls until the check gives something. What it waits for is state that only shows over HTTP. */
export const until = async <A>(what: string, check: () => Promise<A | undefined>, seconds = 60): Promise<A> => {
  const end = performance.now() + seconds * 1000
  let last: unknown
  while (performance.now() < end) {
    try {
      const found = await check()
      if (found !== undefined) return found
    } catch (error) {
      last = error
    }
    await new Promise((done) => setTimeout(done, 40))
  }
  throw new Error(`waited ${seconds} s for ${what}`, { cause: last })
}

const spawnSupervisor = (env: Record<string, string>) =>
  execa(process.execPath, ["cli/src/main.ts", "up"], { cwd: root, env, stdin: "ignore", all: true, reject: false })

export class Farm {
  readonly port: number
  readonly data: string
  readonly url: string
  private readonly env: Record<string, string>
  private supervisor: ReturnType<typeof spawnSupervisor> | undefined

  private constructor(port: number, data: string, env: Record<string, string>) {
    this.port = port
    this.data = data
    this.url = `http://127.0.0.1:${port}`
    this.env = { ...env, REELAY_PORT: String(port), REELAY_DATA: data }
  }

  static async start(env: Record<string, string> = {}): Promise<Farm> {
    const data = await mkdtemp(join(tmpdir(), "reelay-farm-"))
    // Embedded Postgres runs as a user of its own and must be able to walk in.
    await chmod(data, 0o755)
    const farm = new Farm(await freePort(), data, env)
    try {
      await farm.up()
    } catch (error) {
      // Nobody else knows of it.
      await farm.stop()
      throw error
    }
    return farm
  }

  async up(): Promise<void> {
    // What a dead supervisor left may still answer for a moment.
    const left = new Set((await this.processes().catch(() => [])).map(({ pid }) => pid))
    const supervisor = spawnSupervisor(this.env)
    this.supervisor = supervisor
    let ended: unknown
    supervisor.then((result) => {
      ended = result.all
    })
    await until(
      "the farm to be ready",
      async () => {
        if (ended !== undefined) throw new Error(`the supervisor ended: ${String(ended)}`)
        if ((await fetch(`${this.url}/health/ready`)).status !== 200) return undefined
        return (await this.processes()).every(({ pid }) => !left.has(pid)) ? true : undefined
      },
      150
    )
  }

  async processes() {
    return decode.processes(await readFile(join(this.data, "processes.json"), "utf8"))
  }

  async pid(role: Role): Promise<number> {
    const found = (await this.processes()).find((p) => p.role === role)
    if (found === undefined) throw new Error(`no ${role} runs`)
    return found.pid
  }

  private async portOf(role: Role): Promise<number> {
    const port = (await this.processes()).find((p) => p.role === role)?.port ?? null
    if (port === null) throw new Error(`${role} has no port`)
    return port
  }

  /** Superuser's, for looking at what the farm did to its database. */
  async databaseUrl(): Promise<string> {
    const password = (await readFile(join(this.data, "postgres", "reelay.password"), "utf8")).trim()
    return `postgres://reelay:${password}@127.0.0.1:${await this.portOf("postgres")}/reelay`
  }

  /** As the scheduler, who may do everything on NATS. */
  private async onNats<A>(use: (nc: NatsConnection) => Promise<A>): Promise<A> {
    const secrets: unknown = JSON.parse(await readFile(join(this.data, "secrets.json"), "utf8"))
    const { scheduler } = Schema.decodeUnknownSync(Schema.Struct({ scheduler: Schema.String }))(secrets)
    const nc = await connect({ servers: `127.0.0.1:${await this.portOf("nats")}`, user: "scheduler", pass: scheduler })
    try {
      return await use(nc)
    } finally {
      await nc.drain()
    }
  }

  publish(subject: string, text: string): Promise<void> {
    return this.onNats(async (nc) => {
      nc.publish(subject, text)
      await nc.flush()
    })
  }

  purge(stream: string): Promise<void> {
    return this.onNats(async (nc) => {
      await (await jetstreamManager(nc)).streams.purge(stream)
    })
  }

  /** Names of a stream's consumers. */
  consumers(stream: string): Promise<ReadonlyArray<string>> {
    return this.onNats(async (nc) => {
      const names: Array<string> = []
      for await (const consumer of (await jetstreamManager(nc)).consumers.list(stream)) names.push(consumer.name)
      return names
    })
  }

  /** Messages that each stream holds. */
  queued(): Promise<ReadonlyMap<string, number>> {
    return this.onNats(async (nc) => {
      const counts = new Map<string, number>()
      for await (const stream of (await jetstreamManager(nc)).streams.list()) {
        counts.set(stream.config.name, stream.state.messages)
      }
      return counts
    })
  }

  async nodes(): Promise<ReadonlyArray<Node>> {
    return decode.nodes((await this.call("GET", "/api/nodes")).body).items
  }

  /** One more encoder, beside the one that the supervisor keeps; ends when the signal comes. */
  async encoder(signal: AbortSignal): Promise<void> {
    const environment = (await readFile(`/proc/${await this.pid("encoder")}/environ`, "utf8")).split("\0")
    const env = Object.fromEntries(environment.map((entry) => [entry.split("=", 1)[0], entry.replace(/^[^=]*=/, "")]))
    const options = { cwd: root, env, extendEnv: false, stdio: "ignore", cancelSignal: signal, reject: false } as const
    void execa(process.execPath, ["services/encoder/src/main.ts"], options)
  }

  /** kill -9, and what it was before. */
  async kill(role: Role): Promise<number> {
    const pid = await this.pid(role)
    process.kill(pid, "SIGKILL")
    return pid
  }

  /** Stands still until the test lets it go on, or is over (a second try would find it stopped, else). */
  async hold(role: Role): Promise<() => void> {
    const pid = await this.pid(role)
    const letGo = () => {
      try {
        process.kill(pid, "SIGCONT")
      } catch {
        // It is gone meanwhile.
      }
    }
    onTestFinished(letGo)
    process.kill(pid, "SIGSTOP")
    return letGo
  }

  /** Until the supervisor has brought a role back. */
  async restarted(role: Role, oldPid: number): Promise<void> {
    await until(`${role} to be restarted`, async () => ((await this.pid(role)) === oldPid ? undefined : true))
  }

  killSupervisor(): void {
    this.supervisor?.kill("SIGKILL")
  }

  /** Ctrl-C, and until all is down. */
  async down(): Promise<string> {
    this.supervisor?.kill("SIGINT")
    return String((await this.supervisor)?.all ?? "")
  }

  async stop(): Promise<void> {
    await this.down()
    await rm(this.data, { recursive: true, force: true })
  }

  async call(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(this.url + path, {
      method,
      redirect: "manual",
      headers: body === undefined ? headers : { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) })
    })
    const text = await response.text()
    const isJson = response.headers.get("content-type")?.includes("json") === true
    return { status: response.status, headers: response.headers, body: isJson ? JSON.parse(text) : text }
  }

  async upload(path: string, name = basename(path)): Promise<Video> {
    const answer = await this.uploadRaw(path, name)
    if (answer.status !== 201) throw new Error(`upload answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return decode.video(answer.body)
  }

  async uploadRaw(path: string, name = basename(path)): Promise<Answer> {
    const response = await fetch(`${this.url}/api/videos?name=${encodeURIComponent(name)}`, {
      method: "POST",
      headers: { "content-type": "application/octet-stream" },
      body: Readable.toWeb(createReadStream(path)) as ReadableStream<Uint8Array>,
      duplex: "half"
    })
    return { status: response.status, headers: response.headers, body: await response.json() }
  }

  async create(request: unknown, headers: Record<string, string> = {}): Promise<Export> {
    const answer = await this.call("POST", "/api/exports", request, headers)
    if (answer.status !== 202) throw new Error(`create answered ${answer.status}: ${JSON.stringify(answer.body)}`)
    return decode.export(answer.body)
  }

  async get(id: string): Promise<Export> {
    return decode.export((await this.call("GET", `/api/exports/${id}`)).body)
  }

  async progress(id: string): Promise<Progress> {
    return decode.progress((await this.call("GET", `/api/exports/${id}/progress`)).body)
  }

  /** Until the export has ended, through whatever happens to the services meanwhile. */
  async ended(id: string, seconds = 120): Promise<Export> {
    return until(
      `export ${id} to end`,
      async () => {
        const found = await this.get(id)
        return found.status === "pending" || found.status === "processing" ? undefined : found
      },
      seconds
    )
  }

  /** Until ffmpeg has reported frames of it. If all are done there is nothing more to wait for: as much in vain as a wait that ran out. */
  async encoding(id: string): Promise<void> {
    const began = performance.now()
    const { framesDone, framesTotal, status } = await until(`export ${id} to encode`, async () => {
      const progress = await this.progress(id)
      return progress.framesDone > 0 || isTerminal(progress.status) ? progress : undefined
    })
    if (!isTerminal(status) && framesDone < framesTotal) return
    const seconds = Math.round((performance.now() - began) / 1000)
    throw new Error(
      `waited ${seconds} s for export ${id} to encode: ${status}, ${framesDone} of ${framesTotal} frames done`
    )
  }

  async completed(id: string, seconds = 120): Promise<Export> {
    const found = await this.ended(id, seconds)
    if (found.status !== "completed") throw new Error(`ended as ${found.status}: ${JSON.stringify(found.error)}`)
    return found
  }

  async download(id: string, to: string): Promise<string> {
    const answer = await fetch(`${this.url}/api/exports/${id}/download`)
    if (answer.status !== 200 || answer.body === null) throw new Error(`download answered ${answer.status}`)
    await pipeline(Readable.fromWeb(answer.body as import("node:stream/web").ReadableStream), createWriteStream(to))
    return to
  }
}
