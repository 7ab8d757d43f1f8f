import { assert, afterAll, beforeAll, describe, it } from "@effect/vitest"
import { startOf } from "@reelay/platform/ProcessIdentity"
import { readdir, rm, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { onTestFinished } from "vitest"
import { Farm, type Role, until } from "./Farm.ts"
import { decodesCleanly, probe, readNumbered, writeNumbered } from "./Sources.ts"

const RATE = { num: 30, den: 1 }
const SECONDS = 12

/** Long enough that there is a middle to be killed in. */
const SLOW = { resolution: "720p", mode: "balanced" }

describe("any process may be killed at any moment", () => {
  let farm: Farm
  let work: string
  let source: string
  let round = 0

  beforeAll(async () => {
    work = await mkdtemp(join(tmpdir(), "reelay-faults-"))
    source = join(work, "long.mp4")
    ;[farm] = await Promise.all([
      Farm.start({ REELAY_TASK_ACK_WAIT: "4", REELAY_RECONCILE_SECONDS: "1", REELAY_GRACE_SECONDS: "1" }),
      writeNumbered(source, { frames: (SECONDS + 1) * 30, rate: RATE })
    ])
  }, 240_000)
  afterAll(async () => {
    await farm.stop()
    await rm(work, { recursive: true, force: true })
  }, 120_000)

  /** Each export asks for another range, so that none is a look-up of an earlier one. */
  const start = async () => {
    round++
    const video = await farm.upload(source)
    const segments = [{ start: round / 30, end: round / 30 + SECONDS }]
    const made = await farm.create({ videoId: video.id, segments, settings: SLOW })
    return { id: made.id, first: round, frames: SECONDS * 30 }
  }

  /** Completed, one set of outputs, and each frame of it right. */
  const isWhole = async (run: { readonly id: string; readonly first: number; readonly frames: number }) => {
    const done = await farm.completed(run.id, 180)
    assert.strictEqual(done.outputs.length, 1)
    const file = await farm.download(run.id, join(work, `${run.id}.mp4`))
    const { numbers } = await readNumbered(file)
    assert.deepStrictEqual(
      numbers,
      Array.from({ length: run.frames }, (_, n) => run.first + n)
    )
    assert.strictEqual(await decodesCleanly(file), "")
    const { streams } = await probe(file)
    assert.strictEqual(streams.length, 2)
    return done
  }

  const roles: ReadonlyArray<Role> = ["api", "scheduler", "encoder", "notifier", "nats", "postgres"]
  it.each(roles)(
    "kill -9 of %s in the middle of an export",
    async (role) => {
      const run = await start()
      await farm.encoding(run.id)
      const old = await farm.kill(role)
      const killed = Date.now()
      await farm.restarted(role, old)
      const done = await isWhole(run)
      assert.isAbove(done.completedAt?.epochMilliseconds ?? 0, killed, "it was in the middle")
      assert.strictEqual(done.epoch, 1, "a killed process is no reason to plan anew")
    },
    240_000
  )

  it("a zombie encoder (stopped past the ack wait, then continued): another one does its tasks, and it changes nothing", async () => {
    const run = await start()
    await farm.encoding(run.id)
    // Alone until it is stopped: whose share it would be otherwise is chance. Those killed before are still told of.
    const zombie = await until("the node that does it", async () =>
      (await farm.nodes()).find(({ tasks }) => tasks.some(({ exportId }) => exportId === run.id))
    )
    const zombieNow = async () => (await farm.nodes()).find(({ id }) => id === zombie.id)
    const letGo = await farm.hold("encoder")
    const end = new AbortController()
    onTestFinished(() => end.abort())
    await farm.encoder(end.signal)
    const before = await farm.progress(run.id)
    const done = await farm.completed(run.id, 180)
    assert.isAtLeast((await farm.progress(run.id)).percent, before.percent)
    letGo()
    await until("it to have done with its own", async () => {
      const node = await zombieNow()
      return node?.status === "active" && node.tasks.length === 0 ? true : undefined
    })
    await isWhole(run)
    assert.deepStrictEqual(await farm.get(run.id), done)
  }, 240_000)

  it("NATS' data deleted while it is down: nothing is lost", async () => {
    const run = await start()
    await farm.encoding(run.id)
    const waiting = await start()
    await farm.down()
    const folders = (await readdir(farm.data)).filter((name) => name.includes("nats"))
    assert.isNotEmpty(folders)
    await Promise.all(folders.map((name) => rm(join(farm.data, name), { recursive: true, force: true })))
    await farm.up()
    await isWhole(run)
    await isWhole(waiting)
  }, 300_000)

  it("kill -9 of the supervisor: the next start ends what it left and goes on", async () => {
    const run = await start()
    await farm.encoding(run.id)
    const left = (await farm.processes()).map(({ pid, role }) => ({ role, pid, start: startOf(pid) }))
    farm.killSupervisor()
    await farm.up()
    for (const { pid, role, start } of left) {
      assert.notStrictEqual(startOf(pid), start, `${role} ${pid} of the dead supervisor still runs`)
    }
    await isWhole(run)
  }, 300_000)
})
