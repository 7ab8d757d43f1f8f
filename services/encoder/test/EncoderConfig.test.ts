import { assert, describe, it } from "@effect/vitest"
import { settingsConfig } from "@reelay/encoder/EncoderConfig"
import { ConfigProvider, Effect } from "effect"

const settings = (env: Record<string, string>) => settingsConfig.parse(ConfigProvider.fromEnv({ env }))

describe("EncoderConfig", () => {
  it.effect("has a name of its own and sensible defaults", () =>
    Effect.gen(function* () {
      const found = yield* settings({})
      assert.match(found.nodeId, /^[A-Za-z0-9_-]+-[0-9a-f]{8}$/)
      assert.deepStrictEqual(
        [found.slots, found.families, found.forceSoftware, found.sandbox, found.taskSeconds, found.stallSeconds],
        [null, null, false, "auto", 1800, 60]
      )
    })
  )

  it.effect("reads what the operator says", () =>
    Effect.gen(function* () {
      const found = yield* settings({
        REELAY_NODE_ID: "gpu-1",
        REELAY_SLOTS: "3",
        REELAY_ENCODERS: "nvenc, software",
        REELAY_FORCE_SOFTWARE: "1",
        REELAY_NODE_LABELS: "fast, studio-2",
        REELAY_GRACE_SECONDS: "0.5"
      })
      assert.deepStrictEqual(
        [found.nodeId, found.slots, found.families, found.forceSoftware, found.labels, found.graceSeconds],
        ["gpu-1", 3, ["nvenc", "software"], true, ["fast", "studio-2"], 0.5]
      )
    })
  )

  it.effect("refuses what means nothing, by name", () =>
    Effect.gen(function* () {
      const nonsense = {
        REELAY_NODE_ID: "a b",
        REELAY_SLOTS: "0",
        REELAY_ENCODERS: "nvidia",
        REELAY_SANDBOX: "maybe",
        REELAY_GRACE_SECONDS: "soon"
      }
      for (const [name, value] of Object.entries(nonsense)) {
        const error = yield* Effect.flip(settings({ [name]: value }))
        assert.include(error.message, name)
      }
    })
  )
})
