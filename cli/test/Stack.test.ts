import { assert, it } from "@effect/vitest"
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, beforeAll } from "vitest"
import { Farm, until } from "../../test/Farm.ts"
import type { Role } from "../../test/Farm.ts"
import { runs, startOf } from "../launch/ProcessLock.mjs"
import type { ProcessIdentity } from "../launch/ProcessLock.mjs"
import { on, reelay } from "./Cli.ts"

const TIMEOUT = 240_000

/** The whole stack with every process real, started as `npm start` starts it. */
let farm: Farm
beforeAll(async () => {
  farm = await Farm.start()
}, TIMEOUT)
afterAll(() => farm.stop())

const ROLES: ReadonlyArray<Role> = ["postgres", "nats", "scheduler", "encoder", "notifier", "api"]

const identities = async (): Promise<ReadonlyArray<ProcessIdentity>> =>
  (await farm.processes()).map(({ pid }) => ({ pid, start: startOf(pid) ?? "gone" }))

const ready = (which: Farm = farm) =>
  until("the stack to be ready", async () => (await fetch(`${which.url}/health/ready`)).ok || undefined)

it("lists its processes and keeps its secrets to itself", { timeout: TIMEOUT }, async () => {
  const processes = await farm.processes()
  assert.deepStrictEqual(processes.map(({ role }) => role).toSorted(), ROLES.toSorted())
  assert.strictEqual(processes.find(({ role }) => role === "api")?.port, farm.port)
  for (const { pid, start } of await identities()) assert.isTrue(runs({ pid, start }))
  for (const file of ["secret", "secrets.json", "logs/api.log", "nats/nats-server.conf"]) {
    assert.strictEqual(statSync(join(farm.data, file)).mode & 0o077, 0, `${file} is for us alone`)
  }
})

it("starts again what is killed, at once and on the same ports, and serves again", { timeout: TIMEOUT }, async () => {
  const ports = Object.fromEntries((await farm.processes()).map(({ port, role }) => [role, port]))
  for (const role of ROLES) {
    const old = await farm.kill(role)
    const killed = performance.now()
    await farm.restarted(role, old)
    assert.isBelow(performance.now() - killed, 20_000, role)
    const now = (await farm.processes()).find((each) => each.role === role)
    assert.strictEqual(now?.port, ports[role], `${role} keeps its port`)
  }
  await ready()
})

it(
  "a second start on the same data says where the first one serves, and changes nothing",
  { timeout: TIMEOUT },
  async () => {
    const before = await identities()
    const second = await reelay(on(farm), "up")
    assert.strictEqual(second.exitCode, 1)
    assert.include(second.stderr, `already runs on this data folder: ${farm.url}`)
    assert.deepStrictEqual(await identities(), before)
  }
)

it("another stack on the same machine has nothing in common with it", { timeout: TIMEOUT }, async () => {
  const other = await Farm.start()
  try {
    await ready(other)
    const mine = await farm.processes()
    const others = await other.processes()
    const of = (list: typeof mine) =>
      new Set(list.flatMap(({ pid, port }) => [`pid ${pid}`, ...(port === null ? [] : [`port ${port}`])]))
    assert.deepStrictEqual(
      [...of(mine)].filter((each) => of(others).has(each)),
      []
    )
    assert.notStrictEqual(
      readFileSync(join(farm.data, "secret"), "utf8"),
      readFileSync(join(other.data, "secret"), "utf8")
    )
  } finally {
    await other.stop()
  }
  await ready()
})

it("on a port that somebody else has, it says so and leaves nothing behind", { timeout: TIMEOUT }, async () => {
  const data = mkdtempSync(join(tmpdir(), "reelay-taken-"))
  const refused = await reelay({ data, port: farm.port }, "up")
  assert.strictEqual(refused.exitCode, 1)
  assert.include(refused.stderr, `port ${farm.port} is in use`)
  assert.deepStrictEqual(readdirSync(data), ["logs"])
  rmSync(data, { recursive: true })
})

it(
  "what a killed supervisor left, even half noted, the next start ends, and then serves",
  { timeout: TIMEOUT },
  async () => {
    const left = await identities()
    farm.killSupervisor()
    await until("the supervisor's children to be orphans", async () => left.every(runs) || undefined)
    await farm.up()
    // The orphans still answer for a moment: only when they are gone does readiness mean the new ones'.
    await until("the orphans to be ended", async () => !left.some(runs) || undefined)
    await ready()
    assert.strictEqual((await farm.processes()).length, ROLES.length)
  }
)

it("stops everything with one command, and the next one finds nothing to stop", { timeout: TIMEOUT }, async () => {
  const running = await identities()
  const stopped = await reelay(on(farm), "stop")
  assert.strictEqual(stopped.exitCode, 0, stopped.stderr)
  for (const each of running) assert.isFalse(runs(each), `pid ${each.pid} still runs`)
  assert.isFalse(existsSync(join(farm.data, "processes.json")))
  assert.include((await reelay(on(farm), "stop")).stdout, "Nothing runs")
})
