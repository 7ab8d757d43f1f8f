import { assert } from "@effect/vitest"
import type { Job, State } from "../src/State.ts"

/** Everything that the state counts, counted anew. */
export const audit = (state: State): void => {
  const jobs = [...state.jobs.values()]
  assert.strictEqual(state.active, jobs.filter((job) => job.counted).length, "active")
  const loads = new Map<string, number>()
  for (const job of jobs) if (job.counted) loads.set(job.user, (loads.get(job.user) ?? 0) + 1)
  for (const [user, share] of state.users) assert.strictEqual(share.load, loads.get(user) ?? 0, `load of ${user}`)
  for (const user of loads.keys()) assert.isTrue(state.users.has(user as Job["user"]), `share of ${user}`)

  const waiting = new Set<Job>()
  for (const lane of state.lanes.values()) {
    const here = [...lane.queue.values()]
    assert.strictEqual(here.length, lane.queue.size, "size of a lane")
    for (const job of here) {
      assert.strictEqual(job.lane, lane)
      waiting.add(job)
    }
  }
  for (const job of jobs) {
    assert.strictEqual(waiting.has(job), job.phase === "waiting", `${job.phase} job in a lane`)
    // A pending export may fail without ever having counted.
    if (job.phase !== "ending" || job.status !== "pending") {
      assert.strictEqual(job.counted, job.phase !== "waiting" && job.phase !== "stuck")
    }
    if (job.phase === "running" || job.phase === "linking") assert.isNotNull(job.run, `run of a ${job.phase} job`)
    if (job.phase === "waiting" || job.phase === "planning" || job.phase === "starting") assert.isNull(job.run)
  }

  const used = new Map<unknown, number>()
  const add = (key: unknown, weight: number) => used.set(key, (used.get(key) ?? 0) + weight)
  let outstanding = 0
  for (const job of jobs) {
    const { run } = job
    if (run === null) continue
    let dispatched = 0
    for (const entry of run.tasks.values()) {
      const { channel } = entry.lineup
      const key = `${job.id}.${entry.task.key}`
      assert.strictEqual(state.outstanding.get(key) === entry, entry.state === "dispatched", `${key} is ${entry.state}`)
      assert.strictEqual(entry.lineup.tasks.includes(entry), entry.state === "ready", `${key} in its line`)
      if (entry.state === "dispatched") {
        dispatched++
        outstanding++
        add(channel, entry.task.weight)
        add(channel.pool, entry.task.weight)
        add(`${channel.key} ${job.user}`, entry.task.weight)
      }
      if (entry.state === "ready") {
        add(`waiting ${channel.pool.name}`, entry.task.weight)
        assert.isTrue([...channel.queue.values()].includes(entry.lineup), "its line in the queue")
      }
      const missing = entry.task.needs.filter((need) => run.tasks.get(need)?.state !== "done").length
      if (entry.state !== "done") assert.strictEqual(entry.missing, missing, `${key} misses`)
      if (entry.state === "waiting") assert.isAbove(missing, 0, `${key} waits for nothing`)
    }
    assert.strictEqual(run.outstanding, dispatched)
    for (const { channel } of run.lineups.values()) assert.isTrue(channel.jobs.has(job), "its seat")
  }
  assert.strictEqual(state.outstanding.size, outstanding, "outstanding")
  for (const pool of state.pools.values()) {
    assert.strictEqual(pool.used, used.get(pool) ?? 0, `used of ${pool.name}`)
    assert.strictEqual(pool.waiting, used.get(`waiting ${pool.name}`) ?? 0, `waiting of ${pool.name}`)
    assert.strictEqual(pool.expected, jobs.filter((job) => job.expecting === pool).length, `expected of ${pool.name}`)
  }
  for (const channel of state.channels.values()) {
    assert.strictEqual(channel.used, used.get(channel) ?? 0, `used of ${channel.key}`)
    assert.isTrue(state.pools.get(channel.pool.name) === channel.pool, "a pool that is known")
    for (const [user, share] of channel.shares) {
      assert.strictEqual(share.load, used.get(`${channel.key} ${user}`) ?? 0, `load of ${user} in ${channel.key}`)
    }
    const active = [0, 0, 0]
    for (const job of channel.jobs) {
      assert.strictEqual(state.jobs.get(job.id), job, "a seat of a job that is there")
      active[job.urgency] = (active[job.urgency] ?? 0) + 1
    }
    assert.deepStrictEqual([...channel.active], active, `active of ${channel.key}`)
    const own = [...channel.activeOf.values()].reduce((sum, each) => sum + each[0] + each[1] + each[2], 0)
    assert.strictEqual(own, channel.jobs.size)
  }
}
