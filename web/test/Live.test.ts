import { assert, describe, it } from "@effect/vitest"
import { CLOSE, type ServerMessage } from "@reelay/contracts/Socket"
import { afterEach, beforeEach, vi } from "vitest"
import { CROWDED, openLink, SILENCE } from "../src/live/Link.ts"
import { makePoller, POLL_FIRST, POLL_LAST } from "../src/live/Poller.ts"
import { wireRow } from "./Rows.ts"

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

describe("poller", () => {
  /** Instants (ms) at which it asked, over `time`. */
  const asked = async (time: number, answer: (n: number) => "changed" | "same" | "fails") => {
    const at: Array<number> = []
    const start = Date.now()
    const poller = makePoller(async () => {
      at.push(Date.now() - start)
      const said = answer(at.length)
      if (said === "fails") throw new Error("no")
      return said
    })
    poller.start()
    await vi.advanceTimersByTimeAsync(time)
    poller.stop()
    await vi.advanceTimersByTimeAsync(60_000)
    return at
  }
  const gaps = (at: ReadonlyArray<number>) => at.map((t, i) => t - (at[i - 1] ?? 0))

  it("asks after 2 s and backs off to 10 s while nothing changes, and while it fails", async () => {
    for (const answer of ["same", "fails"] as const) {
      const found = gaps(await asked(50_000, () => answer))
      assert.deepStrictEqual(found, [2000, 3000, 4500, 6750, 10_000, 10_000, 10_000])
    }
  })

  it("asks every 2 s while something moves", async () => {
    const found = gaps(await asked(15_000, (n) => (n === 3 ? "same" : "changed")))
    assert.deepStrictEqual(found, [2000, 2000, 2000, 3000, 2000, 2000, 2000])
  })

  it("asks one question at a time, and only while it is wanted", async () => {
    const waiting: Array<() => void> = []
    let most = 0
    const poller = makePoller(() => {
      most = Math.max(most, waiting.length + 1)
      return new Promise((resolve) => waiting.push(() => resolve("same")))
    })
    poller.start()
    await vi.advanceTimersByTimeAsync(POLL_FIRST)
    poller.hurry()
    poller.stop()
    poller.start()
    await vi.advanceTimersByTimeAsync(POLL_LAST * 3)
    assert.deepStrictEqual([waiting.length, most], [1, 1])
    waiting.pop()?.()
    await vi.advanceTimersByTimeAsync(POLL_LAST)
    assert.strictEqual(waiting.length, 1)
    poller.stop()
    waiting.pop()?.()
    await vi.advanceTimersByTimeAsync(POLL_LAST)
    assert.strictEqual(waiting.length, 0)
  })

  it("asks at once when hurried", async () => {
    let count = 0
    const poller = makePoller(async () => {
      count += 1
      return "same"
    })
    poller.hurry()
    assert.strictEqual(count, 0)
    poller.start()
    poller.hurry()
    assert.strictEqual(count, 1)
    poller.stop()
  })
})

describe("link", () => {
  /** The browser's socket, as far as a link uses it; the test plays the server. */
  class Wire extends EventTarget {
    static all: Array<Wire> = []
    readyState = 0
    binaryType = "blob"
    readonly sent: Array<unknown> = []
    readonly url: string
    constructor(url: string) {
      super()
      this.url = url
      Wire.all.push(this)
    }
    send(data: string) {
      this.sent.push(JSON.parse(data))
    }
    close() {
      this.readyState = 3
    }
    opens() {
      this.readyState = 1
      this.dispatchEvent(new Event("open"))
    }
    says(message: unknown) {
      this.dispatchEvent(
        new MessageEvent("message", { data: typeof message === "string" ? message : JSON.stringify(message) })
      )
    }
    drops(code = 1006) {
      this.readyState = 3
      this.dispatchEvent(Object.assign(new Event("close"), { code, reason: "", wasClean: code !== 1006 }))
    }
  }
  const last = () => {
    const wire = Wire.all.at(-1)
    if (wire === undefined) throw new Error("no connection was made")
    return wire
  }
  /** Waits for the next connection, not for a time: its delay is random, and one that nobody opens is given up again. */
  const next = async () => {
    const before = Wire.all.length
    while (Wire.all.length === before) await vi.advanceTimersByTimeAsync(100)
    return last()
  }
  const begin = async (tokens: ReadonlyArray<string | null> = [null], since: () => string | null = () => null) => {
    Wire.all = []
    const heard: Array<ServerMessage> = []
    const ups: Array<boolean> = []
    let asked = 0
    const link = openLink({
      url: "ws://x/ws",
      token: async () => tokens[Math.min(asked++, tokens.length - 1)] ?? null,
      since,
      onMessage: (message) => heard.push(message),
      onUp: (up) => ups.push(up),
      WebSocket: Wire
    })
    await vi.advanceTimersByTimeAsync(0)
    return { link, heard, ups }
  }

  it("subscribes from its cursor and tells what it hears", async () => {
    const { link, heard, ups } = await begin([null], () => "a:3")
    last().opens()
    assert.deepStrictEqual(last().sent, [{ type: "subscribe", exports: "all", since: "a:3" }])
    assert.deepStrictEqual(ups, [])
    last().says({ type: "snapshot", exports: [wireRow()], cursor: "a:4" })
    assert.deepStrictEqual(ups, [true])
    assert.strictEqual(heard[0]?.type, "snapshot")
    link.close()
    assert.deepStrictEqual(ups, [true, false])
  })

  it("says who it is in the first message, with a fresh token for every connection", async () => {
    const { link } = await begin(["one", "two"])
    last().opens()
    assert.deepStrictEqual(last().sent[0], { type: "auth", token: "one" })
    assert.notInclude(last().url, "one")
    last().drops()
    const second = await next()
    second.opens()
    assert.deepStrictEqual(second.sent[0], { type: "auth", token: "two" })
    link.close()
  })

  it("comes back with a fresh token when the server ends it for an expired one", async () => {
    const { link, ups } = await begin(["one", "two"])
    last().opens()
    last().says({ type: "ping" })
    last().says({ type: "error", code: "token_expired", detail: "Connect again." })
    last().drops(4401)
    const second = await next()
    second.opens()
    assert.deepStrictEqual(second.sent[0], { type: "auth", token: "two" })
    last().says({ type: "ping" })
    assert.deepStrictEqual(ups, [true, false, true])
    link.close()
  })

  it("comes back by itself, ever more slowly, and resumes where it was", async () => {
    let cursor = "a:1"
    const { link, ups } = await begin([null], () => cursor)
    last().opens()
    last().says({ type: "ping" })
    cursor = "a:9"
    const made: Array<number> = []
    for (let i = 0; i < 8; i++) {
      const start = Date.now()
      last().drops()
      await next()
      made.push(Date.now() - start)
    }
    assert.isBelow(made[0] ?? Infinity, 1100)
    assert.isAbove(made.at(-1) ?? 0, (made[1] ?? 0) * 2)
    assert.isAtMost(Math.max(...made), 10_100)
    last().opens()
    assert.deepInclude(last().sent.at(-1), { since: "a:9" })
    last().says({ type: "ping" })
    assert.deepStrictEqual(ups, [true, false, true])
    link.close()
  })

  it("leaves a server alone for a while that has no room for it, unless somebody looks", async () => {
    const { link, ups } = await begin()
    const refused = () => {
      last().opens()
      last().says({ type: "error", code: "too_many_sockets", detail: "" })
      last().drops(CLOSE.crowded)
    }
    refused()
    await vi.advanceTimersByTimeAsync(CROWDED - 1)
    assert.strictEqual(Wire.all.length, 1)
    await next()
    refused()
    // The page is looked at.
    link.reconnect()
    await vi.advanceTimersByTimeAsync(0)
    assert.strictEqual(Wire.all.length, 3)
    last().opens()
    last().says({ type: "ping" })
    await vi.advanceTimersByTimeAsync(SILENCE - 1)
    last().says({ type: "ping" })
    await vi.advanceTimersByTimeAsync(SILENCE - 1)
    assert.strictEqual(Wire.all.length, 3, "what was put off is not made up for")
    assert.deepStrictEqual(ups, [true])
    last().drops(CLOSE.crowded)
    link.close()
    await vi.advanceTimersByTimeAsync(3 * CROWDED)
    assert.strictEqual(Wire.all.length, 3)
    assert.deepStrictEqual(ups, [true, false])
  })

  it("takes silence for a dead line", async () => {
    const { link, ups } = await begin()
    last().opens()
    last().says({ type: "ping" })
    const before = Wire.all.length
    await vi.advanceTimersByTimeAsync(SILENCE - 1000)
    last().says({ type: "ping" })
    await vi.advanceTimersByTimeAsync(SILENCE - 1000)
    assert.strictEqual(Wire.all.length, before)
    await vi.advanceTimersByTimeAsync(2000)
    assert.strictEqual(Wire.all.length, before + 1)
    assert.deepStrictEqual(ups, [true, false])
    link.close()
  })

  it("passes over what it does not understand, and does not count a refusal as being up", async () => {
    const { link, heard, ups } = await begin()
    last().opens()
    for (const nonsense of ["{", "null", { type: "later" }, { type: "state", export: {}, cursor: "a:1" }])
      last().says(nonsense)
    assert.deepStrictEqual([heard, ups], [[], []])
    last().says({ type: "error", code: "unauthorized", detail: "" })
    assert.deepStrictEqual([heard.length, ups], [1, []])
    link.close()
  })
})
