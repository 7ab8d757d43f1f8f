import { assert, describe, it } from "@effect/vitest"
import * as Messages from "@reelay/contracts/messages/Messages"
import { Plan, PLAN_VERSION } from "@reelay/contracts/Plan"
import { RenderSpec } from "@reelay/contracts/RenderSpec"
import { Schema } from "effect"
import { readdirSync, readFileSync } from "node:fs"

/**
 * What earlier versions wrote: rows and objects that lie in somebody's database and store, and messages of a service that
 * is one version behind. It must be read for ever (a message: for one version more), and nothing of it may be lost when it
 * is written again. Files here are only ever added.
 */
const folder = new URL("stored/", import.meta.url)
const stored = (name: string): unknown => JSON.parse(readFileSync(new URL(name, folder), "utf8"))

const Fields = Schema.Record(Schema.String, Schema.Unknown)
const isFields = Schema.is(Fields)

/** Everything that `old` says, `now` says too: a later version may say more. */
const saysAll = (now: unknown, old: unknown, path = ""): void => {
  if (Array.isArray(old)) {
    assert.isTrue(Array.isArray(now) && now.length === old.length, `${path}: as many`)
    if (Array.isArray(now)) old.forEach((item, i) => saysAll(now[i], item, `${path}[${i}]`))
  } else if (isFields(old)) {
    assert.isTrue(isFields(now), path)
    for (const [key, value] of Object.entries(old)) saysAll(isFields(now) ? now[key] : null, value, `${path}.${key}`)
  } else assert.strictEqual(now, old, path)
}

/** `raised`: what an upcaster makes of it. */
const roundTrip = <A, I>(schema: Schema.Codec<A, I>, old: unknown, raised: object = {}): A => {
  const read = Schema.decodeUnknownSync(schema)(old)
  const now: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(schema)(read)))
  saysAll(now, isFields(old) ? { ...old, ...raised } : old)
  assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(now), read)
  return read
}

describe("what earlier versions wrote", () => {
  const plans = readdirSync(folder).filter((name) => name.startsWith("plan."))

  it.each(plans)("%s is read, with the spec in it", (name) => {
    const plan = roundTrip(Plan, stored(name), { v: PLAN_VERSION })
    roundTrip(RenderSpec, Schema.decodeUnknownSync(Fields)(stored(name))["spec"])
    assert.include(
      plan.tasks.map(({ key }) => key),
      plan.final
    )
  })

  it("there is a plan of every version", () => {
    const versions = plans.map((name) => Schema.decodeUnknownSync(Fields)(stored(name))["v"])
    assert.includeMembers(
      versions,
      Array.from({ length: PLAN_VERSION }, (_, n) => n + 1)
    )
  })

  it("there is a plan with each kind of task", () => {
    const kinds = plans.flatMap((name) =>
      Schema.decodeUnknownSync(Plan)(stored(name)).tasks.flatMap(({ work }) =>
        work._tag === "pass" ? [work._tag, ...work.parts.map((part) => part.work._tag)] : [work._tag]
      )
    )
    assert.includeMembers(kinds, [
      "chunk",
      "copy",
      "crossfade",
      "dissolve",
      "mux",
      "pass",
      "sound",
      "soundcopy",
      "soundtrack",
      "zip"
    ])
  })

  const messages = Schema.decodeUnknownSync(Schema.Array(Schema.Struct({ message: Schema.String, body: Fields })))(
    stored("messages.json")
  )
  const kinds: ReadonlyArray<{ readonly name: string; readonly schema: Schema.Codec<unknown, unknown> }> = [
    Messages.exportRequested,
    Messages.control,
    Messages.taskMessage,
    Messages.taskResult,
    Messages.taskProgress,
    Messages.exportProgress,
    Messages.queueOrder,
    Messages.exportEvent,
    Messages.nodeAdvertisement
  ]

  it.each(kinds)("$name", ({ name, schema }) => {
    const old = messages.filter(({ message }) => message === name)
    assert.isNotEmpty(old, "no example is stored")
    for (const { body } of old) {
      assert.deepStrictEqual(
        Schema.decodeUnknownSync(schema)({ ...body, fieldOfALaterVersion: 1 }),
        roundTrip(schema, body)
      )
    }
  })
})
