import { assert, it } from "@effect/vitest"
import { Effect } from "effect"
import { ConfigProvider } from "effect"
import { Place } from "../src/stack/Place.ts"
import { environmentOf } from "../src/stack/Services.ts"
import type { ServiceRole, Wiring } from "../src/stack/Services.ts"

const wiringOf = (place: Place["Service"], inherited: Wiring["inherited"] = {}): Wiring => ({
  place,
  port: 8123,
  notifierPort: 8124,
  databaseUrl: "postgres://user:secret@127.0.0.1:5/reelay",
  natsEnvironment: (role) => ({
    REELAY_NATS_URL: "nats://127.0.0.1:4",
    REELAY_NATS_USER: role,
    REELAY_NATS_PASSWORD: `${role}-password`
  }),
  inherited
})

const place = (env: Record<string, string> = { REELAY_DATA: "/data" }) =>
  Place.pipe(Effect.provide(Place.layer), Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))))

const roles: ReadonlyArray<ServiceRole> = ["api", "scheduler", "encoder", "notifier"]

it.effect("an encoder gets no way into the database, and nobody gets another's password", () =>
  Effect.gen(function* () {
    const wiring = wiringOf(yield* place(), {
      DATABASE_URL: "postgres://leaked",
      DATABASE_DIRECT_URL: "postgres://leaked"
    })
    const encoder = environmentOf("encoder", wiring)
    assert.notInclude(JSON.stringify(encoder), "postgres://")
    assert.isUndefined(encoder["REELAY_SECRET_FILE"])
    for (const role of roles) {
      const text = JSON.stringify(environmentOf(role, wiring))
      assert.include(text, `${role}-password`)
      for (const other of roles) if (other !== role) assert.notInclude(text, `${other}-password`)
      assert.notInclude(text, "leaked")
    }
  })
)

it.effect("what an operator set reaches the services; what was for the supervisor does not", () =>
  Effect.gen(function* () {
    const wiring = wiringOf(yield* place(), {
      PATH: "/bin",
      REELAY_SLOTS: "3",
      REELAY_PORT: "1",
      REELAY_LAUNCHER: "77",
      npm_config_registry: "x",
      REELAY_GRACE_SECONDS: "9",
      REELAY_AUTH: "jwt"
    })
    const encoder = environmentOf("encoder", wiring)
    assert.strictEqual(encoder["REELAY_SLOTS"], "3")
    assert.strictEqual(encoder["PATH"], "/bin")
    assert.strictEqual(encoder["REELAY_GRACE_SECONDS"], "9")
    assert.isUndefined(encoder["REELAY_LAUNCHER"])
    assert.isUndefined(encoder["npm_config_registry"])
    const api = environmentOf("api", wiring)
    assert.strictEqual(api["REELAY_PORT"], "8123")
    assert.strictEqual(api["REELAY_AUTH"], "jwt")
    assert.strictEqual(environmentOf("notifier", wiringOf(yield* place()))["REELAY_AUTH"], "local")
  })
)

it.effect("with tokens, api and notifier are scraped at ports of their own", () =>
  Effect.gen(function* () {
    const wiring = wiringOf(yield* place(), { REELAY_AUTH: "jwt", REELAY_METRICS_PORT: "9464" })
    assert.strictEqual(environmentOf("api", wiring)["REELAY_METRICS_PORT"], "9464")
    assert.strictEqual(environmentOf("notifier", wiring)["REELAY_METRICS_PORT"], "9465")
    assert.isUndefined(environmentOf("notifier", wiringOf(yield* place()))["REELAY_METRICS_PORT"])
  })
)

it.effect("REELAY_DATA and REELAY_PORT say where; nonsense is refused", () =>
  Effect.gen(function* () {
    assert.strictEqual((yield* place({ REELAY_DATA: "/x/../y", REELAY_PORT: "9000" })).processes, "/y/processes.json")
    assert.strictEqual((yield* place({ REELAY_PORT: "9000" })).port, 9000)
    assert.isNull((yield* place({})).port)
    assert.isTrue((yield* place({})).data.endsWith("/.reelay"))
    for (const port of ["http", "-1", "70000"]) {
      const refused = yield* Effect.flip(place({ REELAY_PORT: port }))
      assert.include(refused.message, "REELAY_PORT")
    }
  })
)
